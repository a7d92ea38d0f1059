"""Fitting a transform again from the store's numbers, with code of its own.

What a state holds are numbers that anybody could have written there. Here its steps are fitted once more on rows that
the caller names: on the training rows they must come out the same; on all rows they must not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.audit.encoding import array_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from numpy.typing import NDArray

    from omicstore.audit.bundle import Bundle, State

    Floats = NDArray[np.float32]
    Learned = dict[str, Floats]

__all__ = ["LINEAR", "Fitted", "can_fit", "differs", "fit_again", "fitting_rows", "output_hash", "refit", "steps_of"]

#: Units of amounts, which the default transform takes the logarithm of.
LINEAR = frozenset({"copy_number", "counts", "fpkm", "fpkm_uq", "intensity", "rpm", "rsem_normalized", "tpm"})

#: A feature that varies by less than this share of its mean is left out.
_CONSTANT = 1e-6

#: So far may a number be off that another machine fitted: what a logarithm in float32 may differ by, and more.
_RTOL, _ATOL = 1e-5, 1e-6

#: Columns that are worked on at a time.
_BLOCK = 1024

_TRANSFORMS = {
    "default": ("log1p", "winsorize", "zscore"),
    "paper": ("median_impute", "winsorize", "zscore", "clamp_zero", "log1p"),
    "minmax": ("log1p", "minmax"),
    "upper_quartile": ("log1p", "upper_quartile", "winsorize", "zscore"),
    "sample_rank": ("sample_rank",),
}

#: Transforms that leave steps out where the unit is none of an amount, and these steps.
_BY_UNIT = frozenset({"default", "minmax", "upper_quartile"})
_OF_AMOUNTS = frozenset({"log1p", "upper_quartile"})

#: Steps that compare the features of a sample with each other.
_WITHIN_ROWS = frozenset({"upper_quartile", "sample_rank"})


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a modality's steps learn from some rows.

    Attributes
    ----------
    features
        The G features that any cohort has, sorted.
    kept
        (G,) whether the transform keeps the feature: it was observed, and varies.
    learned
        Per step what it learned, (G,) each by name.
    sample_ids
        The n samples with any number, sorted.
    values
        (n, G) the numbers as the store has them.
    """

    features: list[str]
    kept: NDArray[np.bool_]
    learned: list[Learned]
    sample_ids: list[str]
    values: Floats

    @property
    def kept_features(self) -> list[str]:
        """The features that the transform keeps, in order."""
        return [name for name, kept in zip(self.features, self.kept, strict=True) if kept]


def steps_of(transform: str, unit: str) -> tuple[str, ...] | None:
    """Return the names of a transform's steps for values of a unit; None for a transform that is not known here.

    Examples
    --------
    >>> steps_of("default", "beta"), steps_of("other", "beta")
    (('winsorize', 'zscore'), None)
    """
    steps = _TRANSFORMS.get(transform)
    if steps is None or transform not in _BY_UNIT or unit in LINEAR:
        return steps
    return tuple(name for name in steps if name not in _OF_AMOUNTS)


def can_fit(bundle: Bundle) -> bool:
    """Tell whether the store that a model names is here, so that its rows and numbers are known."""
    return bundle.store is not None and bundle.table("profiles") is not None


def fitting_rows(bundle: Bundle, fold: int, part: str = "train") -> list[str]:
    """Return the sample ids of a part of a fold that the model reads, sorted.

    Those of its cohorts and sample type that have at least one of its modalities. Where a cohort has cell lines and no
    primary tumour, ``primary`` means the cell lines.

    Parameters
    ----------
    bundle
        Of a trained model.
    fold, part
        Which rows.
    """
    sidecar = bundle.sidecar or {}
    cohorts, modalities = list(sidecar.get("cohorts", [])), set(sidecar.get("modalities", []))
    rows = bundle.assignments.filter(
        (pl.col("fold") == fold) & (pl.col("part") == part) & pl.col("cohort").is_in(cohorts)
    ).select("cohort", "sample_id")
    held = [
        pl.DataFrame({"cohort": cohort, "sample_id": found}, schema={"cohort": pl.String, "sample_id": pl.String})
        for cohort, modality in bundle.matrices
        if cohort in cohorts and modality in modalities and (found := bundle.matrix_samples(cohort, modality))
    ]
    profiles = bundle.table("profiles")
    if not held or profiles is None:
        return []
    types = (
        profiles.sort("cohort", "sample_id", "modality", "profile_id")
        .group_by("cohort", "sample_id", maintain_order=True)
        .agg(pl.col("sample_type").drop_nulls().first())
    )
    there = rows.join(pl.concat(held).unique(), on=["cohort", "sample_id"], how="semi").join(
        types, on=["cohort", "sample_id"], how="left"
    )
    asked = str(sidecar.get("sample_type", "primary"))
    if asked != "all":
        wanted = pl.col("sample_type") == asked
        if asked == "primary":
            tumours = there.filter(wanted)["cohort"].unique().to_list()
            wanted |= (pl.col("sample_type") == "cell_line") & ~pl.col("cohort").is_in(tumours)
        there = there.filter(wanted)
    return there["sample_id"].unique().sort().to_list()


def refit(bundle: Bundle, state: State, rows: Collection[str]) -> dict[tuple[str, int, str], Floats]:
    """Fit a state's steps again on the store's numbers of some samples.

    Parameters
    ----------
    bundle
        Of a trained model, with a store.
    state
        Whose steps and features.
    rows
        Sample ids: those of the training part, or any others.

    Returns
    -------
    dict
        (modality, number of the step, name) to what the step learned, a number per feature of the state, in the order
        of the state; NaN for a feature that the store does not have. A modality whose steps are not known here, or
        that the store does not have, is absent.
    """
    found = {}
    for modality, entry in state.body.get("modalities", {}).items():
        fitted = fit_again(bundle, modality, tuple(entry.get("parameters", ())), rows)
        if fitted is None:
            continue
        place = {name: i for i, name in enumerate(fitted.features)}
        where = np.array([place.get(name, -1) for name in entry.get("features", [])], dtype=np.int64)
        for number, learned in enumerate(fitted.learned):
            for key, numbers in learned.items():
                own = numbers[where]
                own[where < 0] = np.nan
                found[modality, number, key] = own
    return found


def fit_again(bundle: Bundle, modality: str, steps: Sequence[str], rows: Collection[str]) -> Fitted | None:
    """Fit steps to the store's numbers of a modality; None where a step is not known here or there is no number.

    Parameters
    ----------
    bundle
        Of a trained model, with a store.
    modality
        Which one.
    steps
        Names of steps, in order.
    rows
        Sample ids.
    """
    if any(name not in _STEPS for name in steps):
        return None
    features, sample_ids, values = _numbers(bundle, modality, rows)
    order = sorted(
        np.flatnonzero(~np.isnan(values).all(axis=1)).tolist(), key=lambda i: (sample_ids[i], values[i].tobytes())
    )
    sample_ids, values = [sample_ids[i] for i in order], values[order]
    if not values.size:
        return None
    kept = np.zeros(len(features), dtype=bool)
    learned: list[dict[str, list[Floats]]] = [{} for _ in steps]
    width = _width(steps, len(features))
    for start in range(0, len(features), width):
        raw = values[:, start : start + width]
        good, own = _fit_block(raw, steps)
        kept[start : start + width] = good
        for into, numbers in zip(learned, own, strict=True):
            for key, array in numbers.items():
                into.setdefault(key, []).append(array)
    joined = [{key: np.concatenate(parts) for key, parts in into.items()} for into in learned]
    return Fitted(features, kept, joined, sample_ids, values)


def output_hash(fitted: Fitted, state: State, modality: str) -> str:
    """Return the hash of the rows, by sample id, once they went through what a state holds: its features, in its order.

    The last digit of a logarithm in float32 may differ between processors, and the hash with it.
    """
    entry = state.body["modalities"][modality]
    place = {name: i for i, name in enumerate(fitted.features)}
    where = np.array([place[name] for name in entry["features"]], dtype=np.int64)
    out = np.empty((len(fitted.values), len(where)), np.float32)
    width = _width(entry["parameters"], len(where))
    for start in range(0, len(where), width):
        block = slice(start, start + width)
        raw = fitted.values[:, where[block]]
        done = raw
        for number, name in enumerate(entry["parameters"]):
            prefix = f"{modality}/{number}/"
            own = {key.removeprefix(prefix): a[block] for key, a in state.arrays.items() if key.startswith(prefix)}
            done = _STEPS[name][1](done, own)
        out[:, block] = np.where(np.isnan(raw), np.float32(np.nan), done)
    return array_hash(out)


def _width(steps: Sequence[str], n_features: int) -> int:
    """Return how many columns are worked on at a time: all where a step compares them with each other."""
    return max(n_features, 1) if _WITHIN_ROWS.intersection(steps) else _BLOCK


def differs(found: NDArray[Any], expected: NDArray[Any]) -> NDArray[np.bool_]:
    """Return where two fits differ by more than the rounding of another machine."""
    same = np.isclose(found, expected, rtol=_RTOL, atol=_ATOL, equal_nan=True)
    return np.asarray(~same)


def _numbers(bundle: Bundle, modality: str, rows: Collection[str]) -> tuple[list[str], list[str], Floats]:
    """Return the features that any of the model's cohorts has, sorted, the samples, and their numbers."""
    wanted, cohorts = set(rows), (bundle.sidecar or {}).get("cohorts", [])
    parts: list[tuple[list[str], Floats]] = []
    sample_ids: list[str] = []
    for cohort, name in bundle.matrices:
        if name == modality and cohort in cohorts and (matrix := bundle.matrix(cohort, modality)) is not None:
            mine = np.array([sample in wanted for sample in matrix.sample_ids], dtype=bool)
            parts.append((matrix.features, matrix.values[mine]))
            sample_ids += [sample for sample in matrix.sample_ids if sample in wanted]
    features = sorted({name for axis, _ in parts for name in axis})
    place = {name: i for i, name in enumerate(features)}
    values = np.full((sum(len(own) for _, own in parts), len(features)), np.nan, np.float32)
    start = 0
    for axis, own in parts:
        values[start : start + len(own), [place[name] for name in axis]] = own
        start += len(own)
    return features, sample_ids, values


def _fit_block(raw: Floats, steps: Sequence[str]) -> tuple[NDArray[np.bool_], list[Learned]]:
    """Return which columns are kept, and what each step learned."""
    observed = ~np.isnan(raw).all(axis=0)
    block = np.where(observed, raw, np.float32(0))
    good, learned = observed.copy(), []
    together = bool(_WITHIN_ROWS.intersection(steps))
    if together:  # only what is kept takes part, so it is chosen by the numbers as they were measured
        spread = _moments(block)
        good &= spread["sd"] > _CONSTANT * np.abs(spread["mean"])
        block = np.where(good, block, np.float32(np.nan))
    for name in steps:
        fit, apply = _STEPS[name]
        own = fit(block)
        if name == "zscore" and not together:
            good &= own["sd"] > _CONSTANT * np.abs(own["mean"])
        if name == "minmax":
            good &= own["high"] - own["low"] > _CONSTANT * np.abs(own["high"])
        block = apply(block, own)
        learned.append(own)
    return np.asarray(good), learned


def _quantile(values: Floats, share: float) -> Floats:
    """Return each column's quantile over what is observed, by linear interpolation (type 7 of Hyndman & Fan 1996)."""
    out = np.full(values.shape[1], np.nan, np.float32)
    n_seen = (~np.isnan(values)).sum(axis=0)
    ordered = np.sort(values, axis=0)
    for n in np.unique(n_seen[n_seen > 0]):
        columns = n_seen == n
        at = share * (n - 1)
        below = int(at)
        low, high = ordered[below, columns], ordered[min(below + 1, n - 1), columns]
        out[columns] = low + (high - low) * np.float64(at - below)
    return out


def _limits(values: Floats) -> Learned:
    return {"low": _quantile(values, 0.01), "high": _quantile(values, 0.99)}


def _moments(values: Floats) -> Learned:
    with_numbers = np.maximum((~np.isnan(values)).sum(axis=0), 1)
    wide = values.astype(np.float64)
    mean = np.nansum(wide, axis=0) / with_numbers
    sd = np.sqrt(np.nansum((wide - mean) ** 2, axis=0) / with_numbers)
    return {"mean": mean.astype(np.float32), "sd": sd.astype(np.float32)}


def _standardised(values: Floats, own: Learned) -> Floats:
    divisor = np.where(own["sd"] > 0, own["sd"], np.float32(1))
    return np.asarray((values - own["mean"]) / divisor, np.float32)


def _range(values: Floats) -> Learned:
    return {"low": np.fmin.reduce(values, axis=0), "high": np.fmax.reduce(values, axis=0)}


def _within_range(values: Floats, own: Learned) -> Floats:
    width = own["high"] - own["low"]
    return np.asarray((values - own["low"]) / np.where(width > 0, width, np.float32(1)), np.float32)


def _scaled(values: Floats, _: Learned) -> Floats:
    out = values.copy()
    for row in out:
        observed = row[~np.isnan(row)]
        quartile = _quantile(observed[:, None], 0.75)[0] if observed.size else np.float32(0)
        if quartile > 0:
            row /= quartile
    return out


def _ranked(values: Floats, _: Learned) -> Floats:
    out = np.full(values.shape, np.nan, np.float32)
    for row, to in zip(values, out, strict=True):
        seen = ~np.isnan(row)
        ordered = np.sort(row[seen])
        first, last = (np.searchsorted(ordered, row[seen], side) for side in ("left", "right"))
        to[seen] = (first + last - 1) / 2 / max(ordered.size - 1, 1)
    return out


def _medians(values: Floats) -> Learned:
    return {"median": np.nan_to_num(_quantile(values, 0.5))}


#: Step to what it learns from (n, F) numbers and what it makes of them; NaN is what was not observed.
_STEPS: dict[str, tuple[Callable[[Floats], Learned], Callable[[Floats, Learned], Floats]]] = {
    "log1p": (lambda _: {}, lambda values, _: np.log1p(values)),
    "winsorize": (_limits, lambda values, own: np.minimum(np.maximum(values, own["low"]), own["high"])),
    "zscore": (_moments, _standardised),
    "minmax": (_range, _within_range),
    "median_impute": (_medians, lambda values, own: np.where(np.isnan(values), own["median"], values)),
    "clamp_zero": (lambda _: {}, lambda values, _: np.maximum(values, np.float32(0))),
    "upper_quartile": (lambda _: {}, _scaled),
    "sample_rank": (lambda _: {}, _ranked),
}
