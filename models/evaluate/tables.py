"""What an evaluation has found so far: every protocol adds its tables here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from models.evaluate.bootstrap import estimate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

__all__ = ["Tables", "method_rows"]


@dataclass(frozen=True, slots=True)
class Tables:
    """The sections of evaluation.json, with what lies beside it.

    Attributes
    ----------
    body
        Section to what it holds: a table, or several by name.
    predictions
        Rows of predictions.parquet.
    plots
        Name to rows of plots/NAME.json.
    """

    body: dict[str, Any] = field(default_factory=dict)
    predictions: list[pl.DataFrame] = field(default_factory=list)
    plots: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def add(
        self,
        section: str,
        table: dict[str, Any],
        *,
        name: str | None = None,
        predictions: Iterable[pl.DataFrame] = (),
        plots: Mapping[str, list[dict[str, Any]]] | None = None,
    ) -> None:
        """Add a table.

        Parameters
        ----------
        section
            Its key in evaluation.json.
        table
            ``methods``, ``differences`` and what they rest on; or ``not_applicable``, a reason.
        name
            Its key in the section, where that has several.
        predictions
            What its numbers are made of.
        plots
            What is drawn of it.
        """
        if name is None:
            self.body[section] = table
        else:
            self.body.setdefault(section, {})[name] = table
        self.predictions.extend(predictions)
        self.plots.update(plots or {})


def method_rows(
    scores: Mapping[str, Mapping[str, NDArray[np.float64]]], pairs: Iterable[tuple[str, str]]
) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of a table and its paired differences, each number with its interval.

    Parameters
    ----------
    scores
        Per method and score the value and its resamples, as `models.evaluate.bootstrap.estimate` takes them.
    pairs
        (method, against), each of `scores`: the first less the second, resample by resample.
    """
    rows = [
        {"method": method} | {name: estimate(values) for name, values in own.items()} for method, own in scores.items()
    ]
    gaps = [
        {"method": method, "against": other}
        | {name: estimate(values - scores[other][name]) for name, values in scores[method].items()}
        for method, other in pairs
    ]
    return {"methods": rows, "differences": gaps}
