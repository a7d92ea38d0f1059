"""The one way from a store to a model: through a split, part by part, each held-out row only with fitted state."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import lightning.pytorch as lightning
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from models.batch import MultiOmicsBatch, Targets
from models.slides.axis import PATCHES, SlideSettings
from models.slides.read import find_axis, read_slides
from models.transforms.state import TransformState, fit_state
from omicstore.errors import LeakageError, SplitError, StudyError, UnknownNameError, UsageError
from omicstore.splits import Manifest, check, hindrances, load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from omicstore.store.cohort import Cohort
    from omicstore.store.openings import Opening
    from omicstore.store.reader import Store

__all__ = ["Batches", "CohortDataModule", "SeededBatches", "outcomes_of"]


class Batches(Dataset[MultiOmicsBatch]):
    """A whole part in memory, given out by lists of row numbers."""

    def __init__(self, whole: MultiOmicsBatch) -> None:
        self.whole = whole

    def __len__(self) -> int:
        return len(self.whole)

    def __getitem__(self, rows: Sequence[int]) -> MultiOmicsBatch:
        """Return the batch of `rows`."""
        return self.whole.take(rows)


class SeededBatches(Sampler[list[int]]):
    """Lists of row numbers whose order depends on seed and epoch alone, so on no number of workers.

    Parameters
    ----------
    n, batch_size
        Rows, and rows per batch; the last batch may be smaller.
    seed
        Shuffles each epoch anew; rows stay in order where absent.

    Examples
    --------
    >>> list(SeededBatches(5, 2, seed=None))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, n: int, batch_size: int, *, seed: int | None) -> None:
        self.n, self.batch_size, self.seed, self.epoch = n, batch_size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next; Lightning does."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.n // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        order = np.arange(self.n)
        if self.seed is not None:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(self.n)
        for start in range(0, self.n, self.batch_size):
            yield order[start : start + self.batch_size].tolist()


class CohortDataModule(lightning.LightningDataModule):
    """The parts of one fold of a split, and loaders over those that training reads.

    The split is checked against the store first. The transform is fitted on the training rows; a state that is given is
    fitted again and has to come out the same. Val and test rows are read from the store through that state. The test
    part is read, and the read logged, only when it is asked for.

    Parameters
    ----------
    store
        An open store.
    split
        The split's folder, with manifest.json and assignments.parquet.
    fold
        Which fold.
    modalities
        Those the batches hold, in order.
    transform
        Name of the transform to fit; not read where `state` is given.
    cohorts, sample_type
        As in a query; no cohorts means all that the split covers.
    state
        A state fitted before on the same split and fold.
    reader
        Who reads, for the log of test reads.
    endpoint
        Follow-up to put into the batches' targets.
    label
        Task whose labels to put there: a class is its place in `classes`, and -1 where there is no label or the
        training rows have none like it.
    batch_size, seed, num_workers
        Of the loaders; the seed is also that of the patches drawn from the slides of training rows.
    slides
        How slides are read, where patches are among the modalities; not read where `state` is given.

    Attributes
    ----------
    opening
        Where the read of the test part is logged, once it was read.

    Raises
    ------
    LeakageError, SplitError
        When a part is first asked for: if the split fails a check that is an error, does not cover the cohorts, or is
        not the one that the state was fitted on; if the state is not what the training rows give.
    """

    def __init__(
        self,
        store: Store,
        split: Path,
        fold: int,
        *,
        modalities: Sequence[str],
        transform: str = "default",
        cohorts: Sequence[str] = (),
        sample_type: str = "primary",
        state: TransformState | None = None,
        reader: str = "CohortDataModule",
        endpoint: str | None = None,
        label: str | None = None,
        batch_size: int = 64,
        seed: int = 0,
        num_workers: int = 0,
        slides: SlideSettings = SlideSettings(),  # noqa: B008 - frozen
    ) -> None:
        super().__init__()
        self.store, self.split, self.fold = store, split, fold
        self.modalities, self.cohorts, self.sample_type = tuple(modalities), tuple(cohorts), sample_type
        self.transform, self.endpoint, self.label = transform, endpoint, label
        self.batch_size, self.seed, self.num_workers = batch_size, seed, num_workers
        self.slides = slides
        self.reader = reader
        self.opening: Opening | None = None
        self._state = state
        self._parts: dict[str, MultiOmicsBatch] = {}

    @property
    def state(self) -> TransformState:
        """The fitted state; fitted, or fitted again to see that it is right, at the first call."""
        self.part("train")
        assert self._state is not None
        return self._state

    @cached_property
    def manifest(self) -> Manifest:
        """The split's manifest, checked against the store; a check that only warns may fail."""
        manifest = load(self.split)
        failed = hindrances(manifest, check(self.split, self.store))
        if failed:
            raise SplitError(failed[0].sentence, expected="a split that passes its checks", run="omicstore split make")
        covered = manifest.body["cohort"]["query"]["cohorts"]
        if outside := sorted(set(self.store.cohorts) & set(self.cohorts) - set(covered)):
            raise SplitError(
                f"the split {manifest.name} does not cover {', '.join(outside)}",
                expected=f"some of {', '.join(covered)}",
                run="omicstore split make with other split.cohorts, or edit train.cohorts in params.yaml",
            )
        return manifest

    @property
    def covered(self) -> tuple[str, ...]:
        """The cohorts that rows come from, sorted."""
        every = self.manifest.body["cohort"]["query"]["cohorts"]
        return tuple(sorted(self.cohorts or every))

    @property
    def axes(self) -> dict[str, int]:
        """Per modality the number of features after the transform."""
        return {m: len(self.state.features(m)) for m in self.modalities}

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The labels of the training rows, sorted; none where no task was asked for.

        Raises
        ------
        UnknownNameError
            If the store has no labels of the task.
        StudyError
            If the training rows have fewer than two.
        """
        if self.label is None:
            return ()
        found = sorted({name for name in self._labels(self._query("train", None)) if name is not None})
        if len(found) < 2:
            raise StudyError(
                f"the training rows have {len(found)} labels of {self.label}",
                expected="at least two",
                run="name another task, or other cohorts in params.yaml",
            )
        return tuple(found)

    def _labels(self, cohort: Cohort) -> list[str | None]:
        """Return each row's label of the task, None where there is none."""
        tasks = sorted(self.store.table("labels")["task"].unique().to_list())
        if self.label not in tasks:
            raise UnknownNameError("task of labels", str(self.label), tasks)
        known = cohort.clinical()
        column = f"label_{self.label}"
        return known[column].to_list() if column in known.columns else [None] * len(known)

    def part(self, name: str) -> MultiOmicsBatch:
        """Return all rows of ``train``, ``val`` or ``test`` as one batch, transformed."""
        if name not in self._parts:
            self._parts[name] = self._read(name)
        return self._parts[name]

    def train_dataloader(self) -> DataLoader[MultiOmicsBatch]:
        """Return batches of the training rows, in an order that seed and epoch decide."""
        return self._loader("train", self.seed)

    def val_dataloader(self) -> DataLoader[MultiOmicsBatch]:
        """Return batches of the validation rows, in the order of their sample ids."""
        return self._loader("val", None)

    def batches(self, name: str) -> Iterator[MultiOmicsBatch]:
        """Yield a part's batches in the order of its rows."""
        whole = self.part(name)
        for rows in SeededBatches(len(whole), self.batch_size, seed=None):
            yield whole.take(rows)

    def _loader(self, name: str, seed: int | None) -> DataLoader[MultiOmicsBatch]:
        whole = self.part(name)
        return DataLoader(
            Batches(whole),
            batch_size=None,
            sampler=SeededBatches(len(whole), self.batch_size, seed=seed),
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            # Workers draw their seeds from here and leave the global generator, which masks and dropout use, alone.
            generator=torch.Generator().manual_seed(self.seed),
        )

    def _query(self, part: str, state: TransformState | None) -> Cohort:
        cohort = self.store.query(
            cohort=list(self.covered),
            modalities=list(self.modalities),
            sample_type=self.sample_type,
            split=str(self.split),
            fold=self.fold,
            part=part,
            state=state,
        )
        if cohort.marked != "split":
            raise LeakageError(
                "the rows to train or judge on were read without a split",
                expected="rows of one part of a split",
                run="omicstore split make",
            )
        return cohort

    def _read(self, part: str) -> MultiOmicsBatch:
        # Training rows come raw, for the fit; the others come through what was fitted.
        if part != "train":
            cohort = self._query(part, self.state)
            arrays = cohort.to_numpy()
            if PATCHES in self.modalities and self.state.slides is not None:
                arrays[PATCHES] = read_slides(cohort, self.state.slides, draw=False)
            self.opening = cohort.opening or self.opening
        else:
            cohort = self._query(part, None)
            arrays = self._training_arrays(cohort)
        if not len(cohort.samples):
            raise SplitError(
                f"part {part} of fold {self.fold} of {self.split} has no sample", run="omicstore split check"
            )
        patients = cohort.samples["patient_id"].to_list()
        targets = outcomes_of(self.store, patients, self.endpoint) if self.endpoint else Targets.empty(len(patients))
        if self.label is not None:
            where = {name: i for i, name in enumerate(self.classes)}
            places = [-1 if name is None else where.get(name, -1) for name in self._labels(cohort)]
            targets = replace(targets, label=torch.tensor(places, dtype=torch.int64))
        return MultiOmicsBatch.from_arrays(
            {m: arrays[m] for m in self.modalities}, cohort.samples["sample_id"].to_list(), patients, targets
        )

    def _training_arrays(self, cohort: Cohort) -> dict[str, NDArray[np.float32]]:
        raw = cohort.to_numpy()
        records = [m for m in self.modalities if m not in raw]
        if others := [m for m in records if m != PATCHES]:
            raise UsageError(
                f"{others[0]} has no numbers",
                expected="matrices and patches",
                run="edit train.modalities in params.yaml",
            )
        slides = None
        if records:
            given = self._state.slides if self._state is not None else None
            slides = given or find_axis(cohort, self.slides, self.seed)
        names = {m: cohort.features(m)["feature_id"].to_list() for m in raw}
        summary = cohort.summary()["modalities"]
        fitted = fit_state(
            self.transform if self._state is None else self._state.transform,
            {m: raw[m] for m in self.modalities if m in raw},
            names,
            {m: summary[m]["unit"] for m in raw},
            sample_ids=cohort.samples["sample_id"].to_list(),
            split=self.manifest.name,
            manifest_hash=self.manifest.manifest_hash,
            fold=self.fold,
            as_is=records,
            slides=slides,
        )
        if self._state is not None:
            self._refuse_foreign(self._state, fitted)
        self._state = replace(self._state or fitted, reader=self.reader)
        self._refuse_empty(self._state, {m: list(summary[m]["units"]) for m in raw})
        arrays = {m: self._state.apply(m, raw.pop(m), names[m]) for m in names}
        if slides is not None:
            arrays[PATCHES] = read_slides(cohort, slides, draw=True)
        return arrays

    def _refuse_foreign(self, given: TransformState, fitted: TransformState) -> None:
        """Raise where a state that was given is not what the training rows give: hashes alone can be copied."""
        where = f"the training rows of fold {self.fold} of {self.split.name}"
        found = ""
        for name in ("part", "fold", "manifest_hash"):
            if getattr(given, name) != getattr(fitted, name):
                found = f"the fitted state is one of {name} {str(getattr(given, name))[:12]}"
                break
        if not found and given.fitted_on_row_hash != fitted.fitted_on_row_hash:
            found = f"the fitted state has seen other rows than {where}"
        if not found and (learned := fitted.difference(given)):
            found = f"the fitted state is not what {where} give: it holds {learned}"
        if found:
            raise LeakageError(found, expected=f"a state fitted on exactly {where}", run="omicstore train")

    def _refuse_empty(self, state: TransformState, cohorts: dict[str, list[str]]) -> None:
        """Raise where a modality, measured in these cohorts, has nothing to learn from."""
        for modality, measured in cohorts.items():
            if not state.features(modality):
                raise StudyError(
                    f"no feature of {modality} varies over the training rows of {', '.join(measured) or 'any cohort'}",
                    expected="a modality that the training cohorts have",
                    run="edit train.modalities or train.cohorts in params.yaml",
                )


def outcomes_of(store: Store, patient_ids: Sequence[str], endpoint: str) -> Targets:
    """Return the follow-up of patients, NaN where there is none.

    Parameters
    ----------
    store
        An open store.
    patient_ids
        B patients, one per row.
    endpoint
        OS, DSS, PFI or DFI.
    """
    import polars as pl

    rows = pl.DataFrame({"patient_id": list(patient_ids)}, schema={"patient_id": pl.String})
    known = (
        store.table("outcomes")
        .filter(pl.col("endpoint") == endpoint)
        .unique("patient_id", keep="first", maintain_order=True)
    )
    joined = rows.join(
        known.select("patient_id", "time_days", "event"), on="patient_id", how="left", maintain_order="left"
    )
    both = pl.col("time_days").is_not_null() & pl.col("event").is_not_null()
    joined = joined.with_columns(
        pl.when(both).then(pl.col(c)).otherwise(None).cast(pl.Float32).alias(c) for c in ("time_days", "event")
    )
    empty = Targets.empty(len(patient_ids))
    time, event = (
        torch.from_numpy(joined[c].fill_null(float("nan")).to_numpy().copy()) for c in ("time_days", "event")
    )
    return Targets(empty.label, time, event)
