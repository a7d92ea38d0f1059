"""The one way from a store to a model: through a split, part by part, each held-out row only with fitted state."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import lightning.pytorch as lightning
import torch

from models.batch import MultiOmicsBatch, Targets
from models.loaders import Batches, SeededBatches, loader
from models.memory import budget, placed
from models.outcomes import outcomes_of
from models.slides.axis import PATCHES, SlideSettings
from models.slides.read import find_axis, read_slides
from models.streaming import StoredMatrix, StreamedRows
from models.transforms.refuse import refuse_empty, refuse_foreign
from models.transforms.state import TransformState, fit_state
from omicstore.errors import LeakageError, SplitError, StudyError, UnknownNameError, UsageError
from omicstore.splits import Manifest, check, hindrances, load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from torch.utils.data import DataLoader

    from models.transforms.matrix import Matrix
    from omicstore.store.cohort import Cohort
    from omicstore.store.openings import Opening
    from omicstore.store.reader import Store

__all__ = ["CohortDataModule"]

#: A number in memory, whether it was observed, and for a while the number as it was stored.
_BYTES_PER_CELL = 4 + 1 + 4


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
    memory
        What train and val together may take: bytes or, up to 1, a share of the memory that is free. Where they would
        take more, training reads its batches from the store; they are the same, as is the state. Matrices only.
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
        memory: float = 0.5,
        slides: SlideSettings = SlideSettings(),  # noqa: B008 - frozen
    ) -> None:
        super().__init__()
        self.store, self.split, self.fold = store, split, fold
        self.modalities, self.cohorts, self.sample_type = tuple(modalities), tuple(cohorts), sample_type
        self.transform, self.endpoint, self.label = transform, endpoint, label
        self.batch_size, self.seed, self.num_workers = batch_size, seed, num_workers
        self.memory, self.slides = memory, slides
        self.reader = reader
        self.opening: Opening | None = None
        self._state = state
        self._learned = False
        self._parts: dict[str, MultiOmicsBatch] = {}
        self._streamed: dict[str, StreamedRows] = {}

    @property
    def state(self) -> TransformState:
        """The fitted state; fitted, or fitted again to see that it is right, at the first call."""
        if not self._learned and self.streams:
            cohort = self._cohort("train", None)
            self._learn(cohort, {m: StoredMatrix(cohort, m) for m in self.modalities})
        elif not self._learned:
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
        found = sorted({name for name in self.labels("train", self.label) if name is not None})
        if len(found) < 2:
            raise StudyError(
                f"the training rows have {len(found)} labels of {self.label}",
                expected="at least two",
                run="name another task, or other cohorts in params.yaml",
            )
        return tuple(found)

    def labels(self, name: str, task: str) -> list[str | None]:
        """Return the label of each row of a part, None where there is none; of the test part it is logged as a read.

        Raises
        ------
        UnknownNameError
            If the store has no labels of the task.
        """
        return self._labels(self._query(name, None if name == "train" else self.state), task)

    def _labels(self, cohort: Cohort, task: str) -> list[str | None]:
        tasks = sorted(self.store.table("labels")["task"].unique().to_list())
        if task not in tasks:
            raise UnknownNameError("task of labels", task, tasks)
        known = cohort.clinical()
        column = f"label_{task}"
        return known[column].to_list() if column in known.columns else [None] * len(known)

    def part(self, name: str) -> MultiOmicsBatch:
        """Return all rows of ``train``, ``val`` or ``test`` as one batch, transformed; it is kept in memory."""
        if name not in self._parts:
            self._parts[name] = self._read(name)
        return self._parts[name]

    def sample_ids(self, name: str) -> tuple[str, ...]:
        """Return the samples of a part, in the order of its rows."""
        return self.rows(name).sample_id

    @cached_property
    def streams(self) -> bool:
        """Whether training reads its batches from the store, since train and val together do not fit into memory."""
        cohort = self._query("train", None)
        if len(cohort.matrices) < len(self.modalities):
            return False  # what is read of slides is small
        n_rows = len(cohort) + len(self.manifest.part(self.fold, "val"))
        width = sum(cohort.features(m).height for m in self.modalities)
        return n_rows * width * _BYTES_PER_CELL > budget(self.memory)

    def rows(self, name: str) -> Batches | StreamedRows:
        """Return what gives out a part's batches: the part itself, or what reads it from the store."""
        if not self.streams:
            return Batches(self.part(name))
        if name not in self._streamed:
            cohort = self._cohort(name, self.state)
            self._streamed[name] = StreamedRows(cohort, self.modalities, self._targets(cohort))
        return self._streamed[name]

    def train_dataloader(self) -> DataLoader[MultiOmicsBatch]:
        """Return batches of the training rows, in an order that seed and epoch decide."""
        return self._loader("train", self.seed)

    def val_dataloader(self) -> DataLoader[MultiOmicsBatch]:
        """Return batches of the validation rows, in the order of their sample ids."""
        return self._loader("val", None)

    def batches(self, name: str) -> Iterator[MultiOmicsBatch]:
        """Yield a part's batches in the order of its rows."""
        part = self.rows(name)
        for rows in SeededBatches(len(part), self.batch_size, seed=None):
            yield part[rows]

    def _loader(self, name: str, seed: int | None) -> DataLoader[MultiOmicsBatch]:
        part, workers = self.rows(name), self.num_workers
        if isinstance(part, Batches) and self.trainer is not None:
            part = Batches(placed(part.whole, self.trainer.strategy.root_device))
        # A part on an accelerator, or connections to another machine, cannot be shared with another process.
        if not isinstance(part, StreamedRows):
            workers = workers if part.whole.present.device.type == "cpu" else 0
        elif self.store.files.local is None:
            workers = 0
        return loader(part, self.batch_size, seed=seed, num_workers=workers)

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

    def _cohort(self, part: str, state: TransformState | None) -> Cohort:
        cohort = self._query(part, state)
        if not len(cohort):
            raise SplitError(
                f"part {part} of fold {self.fold} of {self.split} has no sample", run="omicstore split check"
            )
        return cohort

    def _read(self, part: str) -> MultiOmicsBatch:
        # Training rows come raw, for the fit, where there is none yet; all others come through what was fitted.
        if part == "train" and not self._learned:
            cohort = self._cohort(part, None)
            arrays = self._training_arrays(cohort)
        else:
            cohort = self._cohort(part, self.state)
            arrays = cohort.to_numpy()
            if PATCHES in self.modalities and self.state.slides is not None:
                arrays[PATCHES] = read_slides(cohort, self.state.slides, draw=part == "train")
            self.opening = cohort.opening or self.opening
        ids, patients = (cohort.samples[name].to_list() for name in ("sample_id", "patient_id"))
        return MultiOmicsBatch.from_arrays(
            {m: arrays[m] for m in self.modalities}, ids, patients, self._targets(cohort)
        )

    def _targets(self, cohort: Cohort) -> Targets:
        patients = cohort.samples["patient_id"].to_list()
        targets = outcomes_of(self.store, patients, self.endpoint) if self.endpoint else Targets.empty(len(patients))
        if self.label is None:
            return targets
        where = {name: i for i, name in enumerate(self.classes)}
        places = [-1 if name is None else where.get(name, -1) for name in self._labels(cohort, self.label)]
        return replace(targets, label=torch.tensor(places, dtype=torch.int64))

    def _training_arrays(self, cohort: Cohort) -> dict[str, NDArray[np.float32]]:
        raw = cohort.to_numpy()
        names = self._learn(cohort, {m: raw[m] for m in self.modalities if m in raw})
        state = self.state
        arrays = {m: state.apply(m, raw.pop(m), names[m]) for m in names}
        if state.slides is not None:
            arrays[PATCHES] = read_slides(cohort, state.slides, draw=True)
        return arrays

    def _learn(self, cohort: Cohort, raw: Mapping[str, Matrix | NDArray[np.float32]]) -> dict[str, list[str]]:
        """Fit the state, or fit a given one again to see that it is right; return the columns of each matrix."""
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
            raw,
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
            refuse_foreign(self._state, fitted, self.split.name)
        self._state = replace(self._state or fitted, reader=self.reader)
        self._learned = True
        refuse_empty(self._state, {m: list(summary[m]["units"]) for m in raw})
        return names
