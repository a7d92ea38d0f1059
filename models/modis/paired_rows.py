"""Real samples with several modalities, as rows that each have one, and complete test rows beside them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from models.datamodule import CohortDataModule
from omicstore.errors import StudyError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from models.batch import MultiOmicsBatch
    from models.modis.config import MODISConfig
    from omicstore.store.reader import Store

__all__ = ["Fold", "Protocol", "read_fold", "unpaired"]

#: A class counts where the training rows have so many of it; the rest are unlabelled.
_FEWEST = 20


@dataclass(frozen=True, slots=True)
class Protocol:
    """What is measured on a cohort.

    Attributes
    ----------
    cohort, modalities
        Whose and which.
    label
        The column of the patients' table that holds the classes.
    config
        MODIS's settings; the number of classes is that of the training rows.
    seeds
        Of weights and batch order, one training each; the modality that a row keeps is drawn by the first.
    bootstrap
        Resamples of the patients.
    """

    cohort: str
    modalities: tuple[str, ...]
    label: str
    config: MODISConfig
    seeds: tuple[int, ...] = (0,)
    bootstrap: int = 1000


@dataclass(frozen=True, slots=True)
class Fold:
    """The rows of a fold.

    Attributes
    ----------
    whole
        Training rows with all that was measured, for methods that may see pairs.
    train, val
        Training and val rows with one modality each.
    test
        Test rows that have every modality.
    classes
        Names of the classes; a label is a place among them, -1 = none.
    """

    whole: MultiOmicsBatch
    train: MultiOmicsBatch
    val: MultiOmicsBatch
    test: MultiOmicsBatch
    classes: tuple[str, ...]

    def rows(self, part: MultiOmicsBatch, modality: str) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return values and labels of the rows of a part that have a modality."""
        has = part.has(modality).numpy()
        return part.measured(modality)[has], part.targets.label.numpy()[has]

    def names(self, label: NDArray[np.int64]) -> list[str | None]:
        """Return the classes' names, None for an unlabelled row."""
        return [None if i < 0 else self.classes[i] for i in label]


def unpaired(whole: MultiOmicsBatch, rng: np.random.Generator) -> MultiOmicsBatch:
    """Return the rows as they would be had each been measured in one modality.

    In random order each row keeps, of what it has, the modality that the fewest rows have kept so far.

    Parameters
    ----------
    whole
        The rows; each has a modality at least.
    rng
        Draws the order.
    """
    present = whole.present.numpy()
    kept = np.zeros_like(present)
    for i in rng.permutation(len(whole)):
        taken = np.where(present[i], kept.sum(axis=0), len(whole) + 1)
        kept[i, taken.argmin()] = True
    return replace(whole, present=torch.from_numpy(kept & present))


def read_fold(store: Store, split: Path, fold: int, protocol: Protocol) -> Fold:
    """Read a fold through the enforced loader.

    The transform is fitted on the training rows, each modality on all that have it: that ties no two of them.

    Parameters
    ----------
    store, split, fold
        An open store, the split's folder, and which fold.
    protocol
        What is read, and what the classes are.

    Raises
    ------
    StudyError
        If fewer than two classes have enough training rows.
    """
    data = CohortDataModule(
        store,
        split,
        fold,
        modalities=protocol.modalities,
        transform=protocol.config.transform,
        cohorts=(protocol.cohort,),
        reader="models.modis.paired",
    )
    known = store.table("patients")
    of = dict(zip(known["patient_id"].to_list(), known[protocol.label].to_list(), strict=True))
    parts = {name: data.part(name) for name in ("train", "val", "test")}
    counts = Counter(of[patient] for patient in parts["train"].patient_id)
    classes = tuple(sorted(name for name, n in counts.items() if name is not None and n >= _FEWEST))
    if len(classes) < 2:
        raise StudyError(
            f"the training rows of {protocol.cohort} have {len(classes)} kinds of {protocol.label} with {_FEWEST} rows",
            expected="at least two",
            run="omicstore build, with a study whose patients have it",
        )
    for part in parts.values():
        places = [classes.index(of[p]) if of[p] in classes else -1 for p in part.patient_id]
        part.targets.label[:] = torch.tensor(places)
    rng = np.random.default_rng([protocol.seeds[0], fold])
    complete = parts["test"].take(torch.nonzero(parts["test"].present.all(dim=1))[:, 0])
    return Fold(parts["train"], unpaired(parts["train"], rng), unpaired(parts["val"], rng), complete, classes)
