"""CustOmics (Benkirane et al. 2023, PLOS Comput. Biol. 19:e1010921): autoencoders under a variational one, and Cox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from models.outside.run import Outside, matrices

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from models.outside.run import Array, Followed

__all__ = ["CUSTOMICS", "customics_risks"]

CUSTOMICS = Outside("CustOmics", "customics==0.1.1", "OMICSTORE_CUSTOMICS_PYTHON", "customics_survival.py")


def customics_risks(
    train: Followed, val: Followed, new: Mapping[str, Array], *, epochs: tuple[int, ...], seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the risks of the validation and of new samples; higher = earlier event.

    It has no early stopping, so it is trained once per number of epochs, and the best C on `val` decides.

    Parameters
    ----------
    train, val
        Samples to learn from and to choose on; training samples without every modality are left out, as CustOmics
        does.
    new
        Per modality (m, F).
    epochs
        Numbers to choose from; the first half of each is its first phase.
    seed
        Of weights, batches and dropout.
    """
    arrays = train.whole().arrays("train") | val.arrays("val") | matrices("new", new)
    found = CUSTOMICS.run(arrays, {"seed": seed, "epochs": list(epochs)})
    return found["val"], found["new"]
