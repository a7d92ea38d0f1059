"""Bins of follow-up time: fitted on training rows, by one of two named conventions.

`logistic_hazard` (pycox's LogisticHazard): T cut points at equal distances from 0 to the longest time. An event counts
at the next cut, a censoring at the last one passed; an event after the last cut is censored there.

`mahmood_nll` (MCAT, PORPOISE, SurvPath): T intervals, closed on the left, between the quantiles of the times of the
events; the outer edges are the range of all times, and later ones fall into the outer intervals.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from models.files import hash_array
from omicstore.errors import UsageError
from omicstore.files import canonical_json
from omicstore.store.splitfile import row_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["FORMAT", "N_BINS", "Convention", "TimeBins"]

FORMAT = "omicstore.timebins/1"

Convention = Literal["logistic_hazard", "mahmood_nll"]

#: As many bins as each convention's own papers have.
N_BINS: dict[Convention, int] = {"logistic_hazard": 20, "mahmood_nll": 4}


@dataclass(frozen=True, slots=True)
class TimeBins:
    """Bins, and the rows they were fitted on.

    Attributes
    ----------
    convention
        ``logistic_hazard`` or ``mahmood_nll``.
    edges
        The T cuts of ``logistic_hazard``; the T + 1 edges of ``mahmood_nll``. Days, exact in float32.
    horizon
        Median time of the events, days: where ``logistic_hazard`` reads off the risk.
    n_events
        Events among the rows.
    fitted_on
        Sorted ids of the training rows with follow-up.
    input_hash
        `models.files.hash_array` of their times and events, (n, 2), in this order.

    Examples
    --------
    >>> time, event = np.array([1.0, 2.0, 3.0, 4.0, np.nan]), np.array([1.0, 1.0, 0.0, 1.0, np.nan])
    >>> bins = TimeBins.fit("logistic_hazard", time, event, list("abcde"), n_bins=3)
    >>> bins.edges, bins.fitted_on
    ((0.0, 2.0, 4.0), ('a', 'b', 'c', 'd'))
    """

    convention: Convention
    edges: tuple[float, ...]
    horizon: float
    n_events: int
    fitted_on: tuple[str, ...]
    input_hash: str

    @classmethod
    def fit(
        cls,
        convention: Convention,
        time: NDArray[np.floating],
        event: NDArray[np.floating],
        sample_ids: Sequence[str],
        *,
        n_bins: int | None = None,
    ) -> TimeBins:
        """Fit bins to training rows; the order of the rows makes no difference.

        Parameters
        ----------
        convention
            Which one.
        time, event
            (n,) days, and 1 = event; NaN where there is no follow-up.
        sample_ids
            The n rows.
        n_bins
            T; `N_BINS` has what is usual.

        Raises
        ------
        UsageError
            If there are too few events or distinct times for so many bins, or a time is negative.
        """
        wanted = N_BINS[convention] if n_bins is None else n_bins
        # Times are float32 in a batch: were the edges finer, the longest time could lie beyond the last one.
        days, died = np.asarray(time, dtype=np.float32), np.asarray(event, dtype=np.float32)
        known = np.flatnonzero(np.isfinite(days) & np.isfinite(died)).tolist()
        rows = sorted(known, key=lambda i: sample_ids[i])
        days, died = days[rows], died[rows]
        at_event = days[died == 1]
        if not len(at_event) or days.min() < 0:
            raise UsageError(
                f"{len(at_event)} events in {len(days)} followed rows, shortest time {days.min(initial=0):g} days",
                expected="at least one event and no negative time",
                run="give training rows with follow-up",
            )
        if convention == "logistic_hazard":
            edges = np.linspace(0, days.max(), wanted, dtype=np.float32)
        else:
            inner = np.quantile(at_event, np.linspace(0, 1, wanted + 1)[1:-1])
            edges = np.array([days.min(), *inner, days.max()], dtype=np.float32)
        if wanted < 2 or (np.diff(edges) <= 0).any():
            raise UsageError(
                f"{wanted} bins of {len(at_event)} events' times do not all differ",
                expected="distinct edges, at least 2 bins",
                run="ask for fewer bins, or give more events",
            )
        return cls(
            convention=convention,
            edges=tuple(edges.tolist()),
            horizon=float(np.median(at_event)),
            n_events=len(at_event),
            fitted_on=tuple(sample_ids[i] for i in rows),
            input_hash=hash_array(np.column_stack([days, died])),
        )

    @property
    def n_bins(self) -> int:
        """T, how many logits a head has."""
        return len(self.edges) - (self.convention == "mahmood_nll")

    @property
    def hash(self) -> str:
        """The sha256 of all that `describe` says, hexadecimal."""
        return hashlib.sha256(canonical_json(self.describe())).hexdigest()

    def assign(self, time: Tensor, event: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B,) int64 each row's bin, and (B,) bool whether the event is seen in it.

        Parameters
        ----------
        time, event
            (B,) days, 1 = event; all known.
        edges
            `edges`, (E,) float32 on the device of `time`.
        """
        died = event == 1
        if self.convention == "mahmood_nll":
            return torch.bucketize(time, edges[1:-1], right=True), died
        died = died & (time <= edges[-1])
        index = torch.where(
            died, torch.bucketize(time, edges, right=False), torch.bucketize(time, edges, right=True) - 1
        )
        return index.clamp(0, self.n_bins - 1), died

    def describe(self) -> dict[str, Any]:
        """Return what the JSON holds."""
        return {
            "format": FORMAT,
            **asdict(self),
            "edges": list(self.edges),
            "fitted_on": list(self.fitted_on),
            "fitted_on_row_hash": row_hash(self.fitted_on),
        }

    def to_json(self) -> str:
        """Return the bins as canonical JSON, the rows and the hash with them."""
        return canonical_json(self.describe() | {"hash": self.hash}).decode()

    @classmethod
    def from_json(cls, text: str) -> TimeBins:
        """Read what `to_json` wrote.

        Raises
        ------
        UsageError
            If it was changed since.
        """
        body = json.loads(text)
        bins = cls(
            convention=body["convention"],
            edges=tuple(body["edges"]),
            horizon=body["horizon"],
            n_events=body["n_events"],
            fitted_on=tuple(body["fitted_on"]),
            input_hash=body["input_hash"],
        )
        if body["format"] != FORMAT or bins.hash != body["hash"]:
            raise UsageError(
                "time bins are not what they were written as", expected=f"hash {body['hash']}", run="fit them again"
            )
        return bins
