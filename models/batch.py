"""The batch contract: what every model gets, and the one way to read it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["MultiOmicsBatch", "Targets"]

#: Rows that are put through a model at once where nothing is learned.
_PIECE = 256


@dataclass(frozen=True, slots=True)
class Targets:
    """What is to be predicted of each row.

    Attributes
    ----------
    label
        (B,) int64, the class; -1 where unlabelled.
    time
        (B,) float32, days; NaN where there is no follow-up.
    event
        (B,) float32, 1 = event, 0 = censored; NaN where there is no follow-up.
    """

    label: Tensor
    time: Tensor
    event: Tensor

    @classmethod
    def empty(cls, n: int) -> Targets:
        """Return targets for `n` rows of which nothing is known."""
        unknown = torch.full((n,), float("nan"))
        return cls(torch.full((n,), -1, dtype=torch.int64), unknown, unknown.clone())

    def take(self, rows: Tensor) -> Targets:
        """Return the targets of `rows`, (b,) int64."""
        return Targets(self.label[rows], self.time[rows], self.event[rows])

    def to(self, device: torch.device | str) -> Targets:
        """Return the targets on `device`."""
        return Targets(self.label.to(device), self.time.to(device), self.event.to(device))


@dataclass(frozen=True, slots=True)
class MultiOmicsBatch:
    """Samples with any of several modalities.

    A slot that is not ``present`` or an entry that is not ``observed`` is never read: `input` and `target_mask` are
    the only doors, and both close on it. Unpaired data is the same contract with one True per row of ``present``.

    Attributes
    ----------
    values
        Per modality (B, F) float32; what lies in an absent slot or an unobserved entry has no meaning.
    observed
        Per modality (B, F) bool.
    present
        (B, M) bool, columns in the order of `modalities`.
    targets
        What is to be predicted.
    sample_id, patient_id
        B identifiers each.

    Examples
    --------
    >>> rna = np.array([[1.0, np.nan], [np.nan, np.nan]])
    >>> batch = MultiOmicsBatch.from_arrays({"rna": rna}, ["a", "b"], ["p", "q"])
    >>> batch.present.tolist()
    [[True], [False]]
    >>> batch.input("rna").tolist()
    [[1.0, 0.0], [0.0, 0.0]]
    """

    values: dict[str, Tensor]
    observed: dict[str, Tensor]
    present: Tensor
    targets: Targets
    sample_id: tuple[str, ...]
    patient_id: tuple[str, ...]

    @classmethod
    def from_arrays(
        cls,
        arrays: Mapping[str, NDArray[np.floating]],
        sample_id: Sequence[str],
        patient_id: Sequence[str],
        targets: Targets | None = None,
    ) -> MultiOmicsBatch:
        """Make a batch of arrays in which NaN stands for "not observed".

        Parameters
        ----------
        arrays
            Per modality (B, F); a row of NaN is a sample without the modality.
        sample_id, patient_id
            B identifiers each.
        targets
            Unlabelled where absent.
        """
        values = {m: torch.from_numpy(np.ascontiguousarray(a, dtype=np.float32)) for m, a in arrays.items()}
        observed = {m: ~torch.isnan(v) for m, v in values.items()}
        n = len(sample_id)
        flags = [o.any(dim=1) for o in observed.values()]
        present = torch.stack(flags, dim=1) if flags else torch.zeros((n, 0), dtype=torch.bool)
        return cls(values, observed, present, targets or Targets.empty(n), tuple(sample_id), tuple(patient_id))

    def __len__(self) -> int:
        return len(self.sample_id)

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities, in the order of the columns of ``present``."""
        return tuple(self.values)

    def has(self, modality: str) -> Tensor:
        """Return (B,) bool: which rows have the modality."""
        return self.present[:, self.modalities.index(modality)]

    def target_mask(self, modality: str) -> Tensor:
        """Return (B, F) bool: the entries that may be compared with a prediction."""
        return self.observed[modality] & self.has(modality)[:, None]

    def input(self, modality: str, keep: Tensor | None = None) -> Tensor:
        """Return (B, F) float32 with 0 wherever there is nothing to read.

        Parameters
        ----------
        modality
            Which one.
        keep
            (B,) bool: rows whose slot may be read; all where absent.
        """
        mask = self.target_mask(modality)
        if keep is not None:
            mask = mask & keep[:, None]
        values = self.values[modality]
        return torch.where(mask, values, torch.zeros((), dtype=values.dtype, device=values.device))

    def measured(self, modality: str) -> NDArray[np.float32]:
        """Return (B, F) float32 with NaN wherever there is nothing to read."""
        mask = self.target_mask(modality).cpu().numpy()
        return np.where(mask, self.values[modality].cpu().numpy(), np.float32(np.nan))

    def hide(self, modalities: Iterable[str]) -> MultiOmicsBatch:
        """Return the batch as it would be had `modalities` never been measured."""
        hidden = set(modalities)
        keep = torch.tensor([m not in hidden for m in self.modalities], device=self.present.device)
        return replace(self, present=self.present & keep)

    def only(self, modalities: Iterable[str]) -> MultiOmicsBatch:
        """Return the batch as it would be had nothing but `modalities` been measured."""
        return self.hide(set(self.modalities) - set(modalities))

    def take(self, rows: Sequence[int] | Tensor) -> MultiOmicsBatch:
        """Return the batch of `rows`, in that order."""
        index = torch.as_tensor(rows, dtype=torch.int64)
        where = index.tolist()
        index = index.to(self.present.device)
        return MultiOmicsBatch(
            {m: v[index] for m, v in self.values.items()},
            {m: o[index] for m, o in self.observed.items()},
            self.present[index],
            self.targets.take(index),
            tuple(self.sample_id[i] for i in where),
            tuple(self.patient_id[i] for i in where),
        )

    def first_per_patient(self) -> MultiOmicsBatch:
        """Return one row per patient, the first, in their order."""
        first = {patient: i for i, patient in reversed(list(enumerate(self.patient_id)))}
        return self.take(sorted(first.values()))

    def pieces(self) -> Iterator[MultiOmicsBatch]:
        """Yield the rows in their order, as many at a time as a model may read."""
        for start in range(0, len(self), _PIECE):
            yield self.take(range(start, min(start + _PIECE, len(self))))

    @property
    def nbytes(self) -> int:
        """How much memory values and what was observed of them take."""
        return sum(t.nbytes for of in (self.values, self.observed) for t in of.values())

    def to(self, device: torch.device | str) -> MultiOmicsBatch:
        """Return the batch on `device`."""
        return replace(
            self,
            values={m: v.to(device) for m, v in self.values.items()},
            observed={m: o.to(device) for m, o in self.observed.items()},
            present=self.present.to(device),
            targets=self.targets.to(device),
        )
