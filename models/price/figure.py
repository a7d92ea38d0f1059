"""The price list as a figure: a row for each strategy and method, a panel for each task."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from models.report.figures import MUTED, OTHER, OURS, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["TITLES", "price_figure"]

#: What a strategy keeps apart, for who reads the figure or the table alone.
TITLES = {
    "random": "random rows",
    "grouped_kfold": "patients apart",
    "site_preserved_kfold": "sites apart",
    "leave_site_out": "one site out",
    "cross_cohort": "cohorts apart",
    "temporal": "later years",
}
_COLOURS = (OURS, OTHER, "#5b8c3a", "#8a5aa8")

#: Predictors that know nothing: a line where it is in sight, and a number in the legend.
_TRIVIAL = ("train_mean", "majority", "chance")


def price_figure(body: dict[str, Any]) -> str:
    """Draw each metric with its 95% interval under every strategy, as SVG text of the same bytes each time.

    Parameters
    ----------
    body
        What price.json holds.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    tasks = {name: table for name, table in body["tasks"].items() if table["rows"]}
    with mpl.rc_context(style()):  # type: ignore[arg-type]
        figure: Figure = Figure(figsize=(4.2 * max(1, len(tasks)), 3.6), layout="constrained")
        FigureCanvasSVG(figure)
        for i, table in enumerate(tasks.values()):
            _panel(figure.add_subplot(1, len(tasks), i + 1), table)
        if body["simulated"]:
            figure.suptitle("Simulated data", fontsize=9, color=MUTED)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=False, metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _panel(axes: Axes, table: dict[str, Any]) -> None:
    rows = table["rows"]
    strategies = list(dict.fromkeys(row["strategy"] for row in rows))
    methods = list(dict.fromkeys(row["method"] for row in rows))
    learned = [method for method in methods if method not in _TRIVIAL]
    step = 0.8 / max(1, len(learned))
    for m, method in enumerate(learned):
        own = [row for row in rows if row["method"] == method]
        y = [strategies.index(row["strategy"]) + (m - (len(learned) - 1) / 2) * step for row in own]
        x = [row["value"] for row in own]
        error = [[row["value"] - row["low"] for row in own], [row["high"] - row["value"] for row in own]]
        error = [[max(0.0, e) for e in side] for side in error]
        colour = _COLOURS[m % len(_COLOURS)]
        axes.errorbar(x, y, xerr=error, fmt="o", markersize=4, linewidth=1.4, color=colour, label=method)
    low, high = axes.get_xlim()
    for method in methods:
        if method in _TRIVIAL:
            known = [row["value"] for row in rows if row["method"] == method]
            at = sum(known) / len(known)
            near = at > low - (high - low)
            axes.axvline(at if near else low, color=MUTED, linestyle=":", alpha=float(near), label=f"{method} {at:.2f}")
    axes.set_yticks(range(len(strategies)), [TITLES.get(s, s) for s in strategies])
    axes.set_ylim(len(strategies) - 0.5, -0.5)
    axes.set_xlabel(table["metric"])
    axes.grid(visible=False, axis="y")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.18), ncols=2, fontsize=8)
