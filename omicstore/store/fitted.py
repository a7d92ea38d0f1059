"""What a fitted state must say before held-out rows come out through it, and what it lets through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from omicstore.errors import LeakageError
from omicstore.modalities import MODALITIES
from omicstore.store.splitfile import row_hash

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["FittedState", "check_covered", "check_rows", "check_state"]

#: What a state must say besides manifest, fold and part.
_SAID = ("fitted_on", "fitted_on_row_hash", "modalities", "as_is", "features", "apply")


class FittedState(Protocol):
    """What a transform learned, and from which rows; it says itself what it covers."""

    @property
    def manifest_hash(self) -> str:
        """The hash of the split's manifest."""

    @property
    def fold(self) -> int:
        """The fold it was fitted in."""

    @property
    def part(self) -> str:
        """The part it was fitted on."""

    @property
    def fitted_on(self) -> Collection[str]:
        """The ids of the samples it was fitted on; all of them must be training samples of the fold."""

    @property
    def fitted_on_row_hash(self) -> str:
        """The hash of these ids; see `omicstore.store.splitfile.row_hash`."""

    @property
    def modalities(self) -> Collection[str]:
        """The matrices it was fitted for: these are read through `apply`."""

    @property
    def as_is(self) -> Collection[str]:
        """The modalities of records (report, patches) that are read as they are, since nothing is learned from them."""

    def features(self, modality: str) -> Sequence[str]:
        """Return the feature ids that `apply` gives out."""

    def apply(self, modality: str, values: NDArray[np.float32], feature_ids: Sequence[str]) -> NDArray[np.float32]:
        """Return the transformed values of the features it keeps."""


def check_state(state: FittedState | None, *, where: str, manifest_hash: str, fold: int, part: str) -> None:
    """Check that a state is one of this fold; without one, training rows alone are open.

    Parameters
    ----------
    state
        What was given.
    where
        The split's name.
    manifest_hash, fold, part
        What is read.

    Raises
    ------
    LeakageError
        If it is absent, of another split or fold, fitted on another part, or does not say what `FittedState` has.
    """
    mend = _mend(where, fold)
    if state is None:
        if part == "train":
            return
        raise LeakageError(f"part {part} of split {where} was asked for without a fitted state", run=mend)
    if not hasattr(state, "manifest_hash"):
        raise LeakageError(
            f"part {part} of fold {fold} of {where} was asked for with a {type(state).__name__} as its state",
            expected="what models.transforms.fit_state or load_state returns",
            run=mend,
        )
    for name, have, need in (
        ("manifest", getattr(state, "manifest_hash", None), manifest_hash),
        ("fold", getattr(state, "fold", None), fold),
        ("part", getattr(state, "part", None), "train"),
    ):
        if have != need:
            raise LeakageError(
                f"part {part} of fold {fold} of {where} was asked for with a state of {name} {_short(have)}",
                expected=f"{name} {_short(need)}",
                run=mend,
            )
    if lacking := [name for name in _SAID if not hasattr(state, name)]:
        raise LeakageError(
            f"the state given for fold {fold} of {where} does not say its {', '.join(lacking)}",
            expected="a state that says which rows it was fitted on, and what it covers",
            run=mend,
        )


def check_rows(state: FittedState, training: Iterable[str], *, where: str) -> None:
    """Check that a state was fitted on training rows and no others: a hash alone is copied from anywhere.

    Parameters
    ----------
    state
        What was given.
    training
        The ids of all training samples of its fold.
    where
        The split's name.

    Raises
    ------
    LeakageError
        If it was fitted on no row, on one that is no training row, or on others than its hash says.
    """
    of, mend = f"the state given for fold {state.fold} of {where}", _mend(where, state.fold)
    fitted_on = set(state.fitted_on)
    if not fitted_on:
        raise LeakageError(f"{of} was fitted on no row", expected="training rows", run=mend)
    if others := sorted(fitted_on - set(training)):
        more = f", and {len(others) - 1} more," if len(others) > 1 else ","
        raise LeakageError(
            f"{of} was fitted on {others[0]}{more} which is no training sample",
            expected="training rows alone",
            run=mend,
        )
    if (made := row_hash(fitted_on)) != state.fitted_on_row_hash:
        raise LeakageError(
            f"{of} claims rows of hash {_short(state.fitted_on_row_hash)} and names rows of {_short(made)}",
            expected="the hash of the rows that it names",
            run=mend,
        )


def check_covered(state: FittedState, modalities: Sequence[str], *, where: str) -> None:
    """Check that a state covers each modality: a matrix it was fitted for, or records that it leaves as they are.

    Raises
    ------
    LeakageError
        If it does not, so that rows would come out raw.
    """
    of = f"the state given for fold {state.fold} of {where}"
    covered = [*state.modalities, *state.as_is]
    without = f"or ask for what it covers: modalities={covered}"
    for name in modalities:
        if MODALITIES[name].kind == "matrix":
            if name not in state.modalities:
                raise LeakageError(
                    f"{of} was not fitted for {name}",
                    expected=f"a state of {name}; this one covers {', '.join(covered) or 'nothing'}",
                    run=f"fit it with {name}, {without}",
                )
        elif name not in state.as_is:
            raise LeakageError(
                f"{of} does not say that {name} is read as it is, and a state transforms matrices alone",
                expected=f"{name} in its as_is, if nothing is learned from it",
                run=f"fit it with as_is=[{name!r}], {without}",
            )


def _mend(where: str, fold: int) -> str:
    return f"fit a state on split {where}, fold {fold}, part train, and pass it to Store.query as state="


def _short(value: object) -> str:
    return str(value)[:12]
