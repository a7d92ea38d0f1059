"""Figures as SVG text: the same numbers give the same bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["MUTED", "OTHER", "OURS", "imputation_figure", "style", "survival_figure", "training_figure"]

OURS, OTHER, MUTED = "#1f5fa8", "#c8641b", "#6b7280"

#: Above this many points a scatter is drawn as pixels inside the SVG.
MANY_POINTS = 2000


def style() -> dict[str, Any]:
    """Return what every figure has in common, as matplotlib takes it."""
    return {
        "svg.hashsalt": "omicstore",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": MUTED,
        "axes.labelcolor": "#1f2937",
        "axes.grid": True,
        "grid.color": "#e5e7eb",
        "axes.axisbelow": True,
        "legend.frameon": False,
    }


def _draw(width: float, height: float, label: str, paint: Any) -> str:
    """Return the SVG of one pair of axes that `paint` fills; `label` describes it to a screen reader."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context(style()):  # type: ignore[arg-type]
        figure: Figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        axes: Axes = figure.add_subplot()
        paint(axes)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, dpi=150, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :].replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)


def training_figure(rows: Sequence[dict[str, Any]], best: int) -> str:
    """Draw train and val loss over epochs, with the chosen epoch marked.

    Parameters
    ----------
    rows
        ``epoch``, ``train`` and ``val``.
    best
        The chosen epoch, counted from 1.
    """

    def paint(axes: Axes) -> None:
        for part, colour in (("train", MUTED), ("val", OURS)):
            axes.plot([row["epoch"] for row in rows], [row[part] for row in rows], color=colour, label=part)
        axes.axvline(best, color=OTHER, linewidth=1, linestyle="--", label=f"chosen: epoch {best}")
        axes.set_xlabel("epoch")
        axes.set_ylabel("loss")
        axes.legend()

    return _draw(6, 3, "Training and validation loss over epochs", paint)


def imputation_figure(rows: Sequence[dict[str, Any]], title: str) -> str:
    """Draw each feature's Pearson r under the model against ridge.

    Parameters
    ----------
    rows
        ``model`` and ``ridge`` per feature.
    title
        The model's name.
    """

    def paint(axes: Axes) -> None:
        ridge, ours = [row["ridge"] for row in rows], [row["model"] for row in rows]
        low, high = min(*ridge, *ours, 0.0) - 0.05, max(*ridge, *ours, 0.0) + 0.05
        many = len(rows) > MANY_POINTS
        axes.plot([low, high], [low, high], color=MUTED, linewidth=1, linestyle="--")
        axes.scatter(
            ridge, ours, s=4 if many else 14, color=OURS, alpha=0.3 if many else 0.6, linewidths=0, rasterized=many
        )
        axes.set_xlim(low, high)
        axes.set_ylim(low, high)
        axes.set_aspect("equal")
        axes.set_xlabel("Pearson r, ridge")
        axes.set_ylabel(f"Pearson r, {title}")

    return _draw(4.2, 4, f"Pearson r per feature: {title} against ridge", paint)


def survival_figure(rows: Sequence[dict[str, Any]], endpoint: str) -> str:
    """Draw Kaplan-Meier curves of the test patients by predicted risk.

    Parameters
    ----------
    rows
        ``group``, ``time_days`` and ``survival``.
    endpoint
        Its name, for the axis.
    """

    def paint(axes: Axes) -> None:
        groups = list(dict.fromkeys(row["group"] for row in rows))
        for group, colour in zip(groups, (OTHER, OURS), strict=False):
            curve = [row for row in rows if row["group"] == group]
            years = [row["time_days"] / 365.25 for row in curve]
            axes.step(years, [row["survival"] for row in curve], where="post", color=colour, label=group)
        axes.set_ylim(0, 1.02)
        axes.set_xlim(left=0)
        axes.set_xlabel("years")
        axes.set_ylabel(f"{endpoint}, share without event")
        axes.legend()

    return _draw(6, 3.4, f"Kaplan-Meier curves of {endpoint} by predicted risk", paint)
