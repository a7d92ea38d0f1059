"""Figures as SVG text: the same numbers give the same bytes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "MUTED",
    "OTHER",
    "OURS",
    "drop_figure",
    "imputation_figure",
    "style",
    "survival_figure",
    "training_figure",
    "translation_figure",
]

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


def _draw(width: float, height: float, label: str, paint: Any, n_panels: int = 1) -> str:
    """Return the SVG of axes side by side that `paint` fills; `label` describes it to a screen reader."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context(style()):  # type: ignore[arg-type]
        figure: Figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        axes: list[Axes] = [figure.add_subplot(1, n_panels, i + 1) for i in range(n_panels)]
        paint(*axes)
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


def translation_figure(pairs: dict[str, dict[str, Any]], names: Sequence[str], model: str, title: str) -> str:
    """Draw the matrix of mean Pearson r, a row per modality read and a column per modality predicted.

    Parameters
    ----------
    pairs
        The tables of the translation, some without ``methods``.
    names
        The modalities, in the order of rows and columns.
    model, title
        The model's name in the tables, and in text.
    """

    def paint(ours: Axes, theirs: Axes) -> None:
        for axes, method, said in ((ours, model, title), (theirs, "ridge", "ridge regression")):
            values = [[_pearson(pairs.get(f"{one}_to_{other}"), method) for other in names] for one in names]
            axes.imshow([[0 if v is None else v for v in row] for row in values], cmap="Blues", vmin=0, vmax=1.2)
            for i, row in enumerate(values):
                for j, value in enumerate(row):
                    text = "" if value is None else f"{value:.2f}".replace("-", "\u2212")
                    axes.text(j, i, text, ha="center", va="center", color="#111827")
            axes.set_title(said, fontsize=10)
            axes.set_xticks(range(len(names)), names)
            axes.set_yticks(range(len(names)), names)
            axes.set_xlabel("predicted")
            axes.grid(visible=False)
        ours.set_ylabel("read")

    return _draw(6.4, 3.2, f"Mean Pearson r of each modality predicted from each other: {title} and ridge", paint, 2)


def _pearson(table: dict[str, Any] | None, method: str) -> float | None:
    found = [row["pearson"]["value"] for row in (table or {}).get("methods", []) if row["method"] == method]
    return float(found[0]) if found else None


def drop_figure(rows: Sequence[dict[str, Any]], model: str, title: str) -> str:
    """Draw each score as a modality is taken from more of the test rows: a panel per score, a colour per modality.

    Parameters
    ----------
    rows
        ``modality``, ``share``, ``method``, ``score``, ``value``, ``low`` and ``high``.
    model, title
        The model's name in the tables, and in text.
    """
    titles = {"macro_f1": "macro-F1", "c": "Harrell's C", "r2": "R\u00b2 of the modality taken"}
    scores = [score for score in titles if any(row["score"] == score for row in rows)]
    colours = dict(zip(dict.fromkeys(row["modality"] for row in rows), (OURS, OTHER, "#2f855a", MUTED), strict=False))

    def paint(*panels: Axes) -> None:
        for axes, score in zip(panels, scores, strict=True):
            for place, (modality, colour) in enumerate(colours.items()):
                for method, line in ((model if score == "r2" else "embedding", "-"), ("pca", ":")):
                    own = [r for r in rows if (r["score"], r["modality"], r["method"]) == (score, modality, method)]
                    _fall(axes, own, line, colour, 1.5 * place)
            axes.set_title(titles[score], fontsize=10)
            axes.set_xlabel("% of rows without")
            axes.set_xticks([0, 50, 100])
        panels[0].plot([], [], ":", color=MUTED, label="PCA instead")
        panels[0].legend(fontsize=8)

    label = f"Scores of {title} as a modality is taken from the test rows"
    return _draw(3.1 * len(scores), 3.2, label, paint, len(scores))


def _fall(axes: Axes, points: list[dict[str, Any]], line: str, colour: str, aside: float) -> None:
    """Draw one curve; one that is whole has a name in the legend and intervals, a little aside of the others'."""
    whole = line == "-" and bool(points)
    shares, values = [100 * point["share"] for point in points], [point["value"] for point in points]
    axes.plot(shares, values, line, color=colour, label=points[0]["modality"] if whole else None)
    for share, point in zip(shares, points, strict=True):
        if whole:
            axes.plot([share + aside] * 2, [point["low"], point["high"]], color=colour, alpha=0.45, linewidth=1)
