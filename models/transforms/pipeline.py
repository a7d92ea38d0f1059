"""A transform fitted to one modality's training matrix."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from models.transforms.matrix import Matrix, blocks_of, column_blocks, matrix_of, row_blocks
from models.transforms.steps import AMOUNTS, PIPELINES, MinMax, SampleStep, ZScore
from omicstore.errors import UnknownNameError
from omicstore.units import LINEAR_UNITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.transforms.steps import Params, Step

__all__ = ["FittedPipeline", "fit_pipeline", "steps_for", "training_rows"]

#: Columns are worked on in blocks of this many, so that temporary arrays stay small.
BLOCK = 2048

#: Rows are worked on in blocks of this many by the steps that work within a row.
ROW_BLOCK = 64

#: A feature whose training standard deviation is below this share of its mean carries rounding, not signal.
NEAR_CONSTANT = 1e-6


def steps_for(transform: str, unit: str) -> tuple[Step, ...]:
    """Return the steps of a named transform for values of `unit`.

    Raises
    ------
    UnknownNameError
        If there is no such transform.

    Examples
    --------
    >>> [step.name for step in steps_for("default", "beta")]
    ['winsorize', 'zscore']
    """
    if transform not in PIPELINES:
        raise UnknownNameError("transform", transform, PIPELINES)
    steps = PIPELINES[transform]
    if transform in {"default", "minmax", "upper_quartile"} and unit not in LINEAR_UNITS:
        return tuple(step for step in steps if not isinstance(step, AMOUNTS))
    return steps


@dataclass(frozen=True, slots=True)
class FittedPipeline:
    """The steps of one modality with what they learned, for the features that were kept.

    Attributes
    ----------
    unit
        Unit of the values it takes.
    features
        The F feature ids that it gives out, in order.
    steps, params
        Steps, and per step its arrays of F numbers.
    dropped
        Reason to number of features left out.
    n_rows
        Rows that it was fitted on.
    """

    unit: str
    features: tuple[str, ...]
    steps: tuple[Step, ...]
    params: tuple[Params, ...]
    dropped: dict[str, int] = field(default_factory=dict)
    n_rows: int = 0

    def apply(self, values: NDArray[np.floating], feature_ids: Sequence[str]) -> NDArray[np.float32]:
        """Return (n, F) float32 in the order of `features`; NaN stays NaN.

        Parameters
        ----------
        values
            (n, G) raw values.
        feature_ids
            The G columns; further ones are left out, a kept feature that is not among them gives NaN.
        """
        where = {name: i for i, name in enumerate(feature_ids)}
        columns = np.array([where.get(name, -1) for name in self.features], dtype=np.int64)
        out = np.empty((values.shape[0], len(columns)), dtype=np.float32)
        for start in range(0, len(columns), BLOCK):
            block = slice(start, start + BLOCK)
            out[:, block] = values[:, columns[block]]
            out[:, block][:, columns[block] < 0] = np.nan
        for run in _runs(self.steps):
            if isinstance(self.steps[run[0]], SampleStep):
                _within_rows(out, [self.steps[i] for i in run])
                continue
            for start in range(0, len(columns), BLOCK):
                block = slice(start, start + BLOCK)
                raw = out[:, block]
                done = raw
                for i in run:
                    done = self.steps[i].apply(done, {k: v[block] for k, v in self.params[i].items()})
                out[:, block] = np.where(np.isnan(raw), np.float32(np.nan), done)
        return out


def _runs(steps: Sequence[Step]) -> list[list[int]]:
    """Return the numbers of the steps, those together that follow each other and work alike."""
    return [list(run) for _, run in groupby(range(len(steps)), key=lambda i: isinstance(steps[i], SampleStep))]


def _within_rows(values: NDArray[np.float32], steps: Sequence[Step]) -> None:
    """Take the rows of (n, F) values through steps that work within a row, in place."""
    for start in range(0, len(values) if values.size else 0, ROW_BLOCK):
        for step in steps:
            values[start : start + ROW_BLOCK] = step.apply(values[start : start + ROW_BLOCK], {})


def training_rows(values: Matrix | NDArray[np.floating], sample_ids: Sequence[str]) -> NDArray[np.int64]:
    """Return which rows of a modality a transform is fitted on, in the order in which it takes them.

    Those with any number, by sample id, so that the order in which they came enters no sum and no hash. Rows of one id,
    as where two cohorts share a sample, are put in the order of their bytes.

    Parameters
    ----------
    values
        (n, G) raw training values, NaN = not observed.
    sample_ids
        n ids.

    Examples
    --------
    >>> training_rows(np.array([[1.0], [np.nan], [2.0]]), ["b", "c", "a"]).tolist()
    [2, 0]
    """
    matrix = matrix_of(values)
    seen = [~np.isnan(block).all(axis=1) for block in blocks_of(matrix)]
    rows = np.flatnonzero(np.concatenate(seen)).tolist()
    ids = [sample_ids[i] for i in rows]
    if len(set(ids)) == len(ids):
        return np.array(sorted(rows, key=lambda i: sample_ids[i]), dtype=np.int64)
    twice = {name for name, n in Counter(ids).items() if n > 1}

    def place(i: int) -> tuple[str, bytes]:
        return sample_ids[i], matrix.rows(np.array([i])).tobytes() if sample_ids[i] in twice else b""

    return np.array(sorted(rows, key=place), dtype=np.int64)


def fit_pipeline(
    transform: str, values: Matrix | NDArray[np.floating], feature_ids: Sequence[str], unit: str
) -> FittedPipeline:
    """Fit a transform to training values.

    Features never observed and features that are near-constant on these rows are left out and counted: near-constant
    when they come to the z-score or the min-max scale or, where a step works within a row, as they were measured. The
    latter so that a row's ranks are among the features given out, whatever else was measured.

    Parameters
    ----------
    transform
        A name in `PIPELINES`.
    values
        (n, G) raw training values, NaN = not observed; they are taken in blocks, so they need not be in memory.
    feature_ids
        The G columns.
    unit
        Unit of the values, as in ``store.json``.
    """
    steps = steps_for(transform, unit)
    if any(isinstance(step, SampleStep) for step in steps):
        return _fit_with_rows(steps, matrix_of(values), feature_ids, unit)
    matrix = matrix_of(values)
    learned: list[dict[str, list[NDArray[np.float32]]]] = [{} for _ in steps]
    keep = np.zeros(matrix.shape[1], dtype=bool)
    never = 0
    for columns in column_blocks(matrix.shape):
        block = matrix.columns(columns.start, columns.stop)
        seen = ~np.isnan(block).all(axis=0)
        never += int((~seen).sum())
        block = np.where(seen, block, np.float32(0))
        good = seen.copy()
        fitted = []
        for step in steps:
            params = step.fit(block)
            good &= _varies(step, params)
            block = step.apply(block, params)
            fitted.append(params)
        keep[columns] = good
        for into, params in zip(learned, fitted, strict=True):
            for key, array in params.items():
                into.setdefault(key, []).append(array[good])
    names = tuple(name for name, kept in zip(feature_ids, keep, strict=True) if kept)
    return FittedPipeline(
        unit=unit,
        features=names,
        steps=steps,
        params=tuple({key: np.concatenate(parts) for key, parts in into.items()} for into in learned),
        dropped={"near_constant": int((~keep).sum()) - never, "never_observed": never},
        n_rows=matrix.shape[0],
    )


def _varies(step: Step, params: Params) -> NDArray[np.bool_]:
    """Return which features vary enough to be divided by what the step learned of their spread."""
    if isinstance(step, ZScore):
        return np.asarray(params["sd"] > NEAR_CONSTANT * np.abs(params["mean"]))
    if isinstance(step, MinMax):
        return np.asarray(params["high"] - params["low"] > NEAR_CONSTANT * np.abs(params["high"]))
    return np.array(True)  # noqa: FBT003 - all of them


def _fit_with_rows(steps: tuple[Step, ...], matrix: Matrix, feature_ids: Sequence[str], unit: str) -> FittedPipeline:
    """Fit steps of which some work within a row: the features are chosen first, and then all are written anew."""
    keep = np.zeros(matrix.shape[1], dtype=bool)
    never = 0
    for columns in column_blocks(matrix.shape):
        block = matrix.columns(columns.start, columns.stop)
        spread = ZScore().fit(block)
        never += int(np.isnan(block).all(axis=0).sum())
        keep[columns] = spread["sd"] > NEAR_CONSTANT * np.abs(spread["mean"])
    work = matrix.scratch(int(keep.sum()))
    for rows, block in zip(row_blocks(matrix.shape), blocks_of(matrix), strict=True):
        work[rows] = block[:, keep]
    learned: list[Params] = [{} for _ in steps]
    for run in _runs(steps):
        if isinstance(steps[run[0]], SampleStep):
            _within_rows(work, [steps[i] for i in run])
            continue
        parts: list[list[Params]] = [[] for _ in run]
        for columns in column_blocks(work.shape):
            block = np.array(work[:, columns])
            for i, fitted in zip(run, parts, strict=True):
                fitted.append(steps[i].fit(block))
                block = steps[i].apply(block, fitted[-1])
            work[:, columns] = block
        for i, fitted in zip(run, parts, strict=True):
            learned[i] = {key: np.concatenate([part[key] for part in fitted]) for key in fitted[0]}
    return FittedPipeline(
        unit=unit,
        features=tuple(name for name, kept in zip(feature_ids, keep, strict=True) if kept),
        steps=steps,
        params=tuple(learned),
        dropped={"near_constant": int((~keep).sum()) - never, "never_observed": never},
        n_rows=matrix.shape[0],
    )
