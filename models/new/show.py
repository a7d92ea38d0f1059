"""What a person sees of new patients on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.cli.common import Output, counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.table import Table as Shown

__all__ = ["predicted", "show"]

#: Samples that are shown one by one.
_SHOWN = 10


def show(out: Output, body: Mapping[str, Any], tables: Mapping[str, pl.DataFrame]) -> None:
    """Show how far the samples lie, what was predicted of them, and what that was worth on val.

    Parameters
    ----------
    out
        Where to.
    body
        What summary.json holds.
    tables
        What is written, ``samples`` among them.
    """
    samples = tables["samples"]
    if body["model"]["simulated"]:
        out.text("The model was trained on simulated data.")
    percentiles = [name for name in samples.columns if name.endswith("_percentile")]
    rows = [
        (
            row["sample_id"],
            row["given"],
            *("" if row[p] is None else f"{row[p]:.0f}%" for p in percentiles),
            "outside" if row["outside"] else "",
        )
        for row in samples.head(_SHOWN).iter_rows(named=True)
    ]
    titles = [f"{p.removesuffix('_percentile')}: farther than" for p in percentiles]
    out.print(_table(["sample", "given", *titles, ""], rows))
    if (more := len(samples) - _SHOWN) > 0:
        out.text(f"and {counted(more, 'more sample')}")
    if (said := predicted(tables)) is not None:
        out.print(_table(said.columns, said.head(_SHOWN).rows()))
    for name, told in body.items():
        if isinstance(told, dict) and "median_width" in told:
            out.text(
                f"{name}: {told['n_features']:,} features of {counted(told['n_samples'], 'sample')} in {told['unit']},"
                f" {told['level']:.0%} intervals of median width {told['median_width']}"
            )
        elif isinstance(told, dict) and "concordance" in told:
            worth = "not judged on val" if told["concordance"] is None else f"C {told['concordance']:.3f} on val"
            out.text(f"{name}: fitted on {told['n_fit']} patients with {told['events_fit']} events, {worth}")
        elif name.startswith("head ") and isinstance(told, dict):
            val = told["val"]
            metric = val["metric"].replace("_", " ")
            worth = f"{metric} {val['value']:.3f} on val (knowing nothing: {val['trivial']:.3f})"
            out.text(f"{name}: {told['head']} on {told['task']}, {told['how']}; {worth}")
        elif name == "classes":
            judged = (f"{sets['accuracy']:.3f} from {view}" for view, sets in told["from"].items())
            out.text(f"{told['task']}: sets of classes at {told['level']:.0%}; accuracy on val {', '.join(judged)}")


def predicted(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame | None:
    """Return in words what was predicted of each sample; None where nothing was.

    A class stands with its probability, a risk as the share of the training patients that it exceeds.

    Parameters
    ----------
    tables
        As ``omicstore predict`` writes them: ``classes``, ``risk`` and ``head.NAME``.

    Returns
    -------
    A row per sample: sample, and a column of words per prediction.

    Examples
    --------
    >>> head = pl.DataFrame({"sample_id": ["S1", "S2"], "risk": [0.1, 2.0], "percentile": [12.4, None]})
    >>> predicted({"head.death": head}).rows()
    [('S1', '12%'), ('S2', '')]
    """
    found: list[pl.DataFrame] = []
    for name, table in tables.items():
        title = name.removeprefix("head.")
        if "predicted" in table.columns:
            best = pl.max_horizontal(pl.selectors.starts_with("p_")) * 100
            found.append(
                table.select("sample_id", pl.format("{} ({}%)", "predicted", best.round(0).cast(pl.Int64)).alias(title))
            )
        elif name == "risk":
            found += [_riskier(own, endpoint) for (endpoint,), own in table.group_by("endpoint", maintain_order=True)]
        elif "percentile" in table.columns:
            found.append(_riskier(table, title))
    if not found:
        return None
    whole = found[0]
    for other in found[1:]:
        whole = whole.join(other, on="sample_id", how="full", coalesce=True, maintain_order="left_right")
    return whole.rename({"sample_id": "sample"}).with_columns(pl.selectors.string().fill_null(""))


def _riskier(table: pl.DataFrame, title: object) -> pl.DataFrame:
    share = pl.format("{}%", pl.col("percentile").round(0).cast(pl.Int64)).alias(f"{title}: riskier than")
    return table.select("sample_id", share)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Shown:
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in columns:
        shown.add_column(name, no_wrap=True)
    for row in rows:
        shown.add_row(*row)
    return shown
