"""The settings in which MODIS was published: how many labels there are, and which classes and modalities are scarce."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SETTINGS", "Setting"]


@dataclass(frozen=True, slots=True)
class Setting:
    """What of the training rows is there, and what of it is labelled.

    Attributes
    ----------
    name
        In the table.
    labels
        Share of the training rows that are labelled, drawn at random.
    scarce
        (class, modality) of which few or no rows are there; modality None means each of them, and that the rows left of
        the class are all labelled.
    rows
        How many training rows each scarce pair has.
    published
        What the paper says of it.
    """

    name: str
    published: str
    labels: float = 1.0
    scarce: tuple[tuple[int, int | None], ...] = ()
    rows: int = 0

    def thinned(
        self,
        samples: NDArray[np.int64],
        cluster: NDArray[np.int64],
        kept: NDArray[np.int64],
        rng: np.random.Generator,
        *,
        part: float,
    ) -> NDArray[np.int64]:
        """Return the samples without those that the setting leaves out, in their order.

        Parameters
        ----------
        samples
            (n,) positions.
        cluster, kept
            Of all samples: the class, and the modality that it keeps.
        rng
            Draws which stay.
        part
            How many rows there are for each training row; of a scarce pair that has any, one stays at least.
        """
        stay = np.ones(len(samples), dtype=bool)
        modalities = np.unique(kept)
        for label, modality in self.scarce:
            for each in modalities if modality is None else [modality]:
                pair = np.flatnonzero((cluster[samples] == label) & (kept[samples] == each))
                wanted = int(np.ceil(self.rows * part))
                stay[rng.permutation(pair)[wanted:]] = False
        return samples[stay]

    def labelled(self, label: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.bool_]:
        """Return (n,): which rows have a label, given their classes."""
        always = np.isin(label, [c for c, modality in self.scarce if modality is None])
        drawn = np.zeros(len(label), dtype=bool)
        drawn[rng.permutation(len(label))[: round(self.labels * len(label))]] = True
        return drawn | always


#: Class 0 is the scarce one where there is one. The paper does not say which modalities are absent in which classes:
#: here "two modalities absent in two classes" means that each of two classes has only its third modality.
SETTINGS: tuple[Setting, ...] = (
    Setting("labels 100%", "accuracy 100%, reconstruction and translation MSE about .01"),
    Setting("labels 5%", "near-perfect accuracy, MSE about .01", labels=0.05),
    Setting("labels 0.5%", "near-perfect accuracy, MSE about .01", labels=0.005),
    Setting("labels 0.2%", "accuracy 59%, translation MSE .0765", labels=0.002),
    Setting("labels 0%", "accuracy 19%, reconstruction MSE .01, translation MSE about .1", labels=0.0),
    Setting("target class, 5 rows per modality", "accuracy > .8", scarce=((0, None),), rows=5),
    Setting("target class, 20 rows per modality", "accuracy > .98", scarce=((0, None),), rows=20),
    Setting(
        "target class, 20 rows per modality, 2% of the others labelled",
        "accuracy > .95",
        labels=0.02,
        scarce=((0, None),),
        rows=20,
    ),
    Setting("one modality absent in one class", "accuracy 97%", scarce=((0, 0),)),
    Setting("one modality of one class has 1 row", "accuracy 99%", scarce=((0, 0),), rows=1),
    Setting("two modalities absent in two classes", "accuracy 85%", scarce=((0, 0), (0, 1), (1, 0), (1, 1))),
    Setting(
        "two modalities of two classes have 1 row",
        "accuracy 97%",
        scarce=((0, 0), (0, 1), (1, 0), (1, 1)),
        rows=1,
    ),
)
