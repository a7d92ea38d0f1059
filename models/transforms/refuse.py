"""States that nothing may be trained with or judged by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from omicstore.errors import LeakageError, StudyError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from models.transforms.state import TransformState

__all__ = ["refuse_empty", "refuse_foreign"]


def refuse_foreign(given: TransformState, fitted: TransformState, split: str) -> None:
    """Raise where a state that was given is not what the training rows give: hashes alone can be copied.

    Parameters
    ----------
    given, fitted
        The state, and one fitted on the training rows just now.
    split
        Name of the split, for the message.
    """
    where = f"the training rows of fold {fitted.fold} of {split}"
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


def refuse_empty(state: TransformState, cohorts: Mapping[str, Sequence[str]]) -> None:
    """Raise where a modality, measured in these cohorts, has nothing to learn from."""
    for modality, measured in cohorts.items():
        if not state.features(modality):
            raise StudyError(
                f"no feature of {modality} varies over the training rows of {', '.join(measured) or 'any cohort'}",
                expected="a modality that the training cohorts have",
                run="edit train.modalities or train.cohorts in params.yaml",
            )
