"""From harmonised matrices to what a model reads: its features, in its order, through its fitted transform."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from models.batch import MultiOmicsBatch
from omicstore.diskmatrix import row_blocks
from omicstore.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from models.transforms.state import TransformState
    from omicstore.harmonize.assay import Matrix

__all__ = ["Aligned", "align"]

#: From this share of absent features on a person is warned; fewer are counted alone.
ABSENT = 0.05


@dataclass(slots=True)
class Aligned:
    """New samples as a model reads them.

    Attributes
    ----------
    batch
        All samples, sorted by id; modalities in the model's order.
    features
        Per modality that was given: how many of the model's features the files have (``known``), of how many
        (``expected``), and how many the files have besides (``further``).
    warnings
        What a person ought to know.
    """

    batch: MultiOmicsBatch
    features: dict[str, dict[str, int]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def align(
    matrices: Sequence[Matrix], state: TransformState, modalities: Sequence[str], *, sample_type: str = "primary"
) -> Aligned:
    """Align and transform new samples; nothing is fitted.

    A feature of the model that a file lacks is not observed. A feature that the model does not know is left out.

    Parameters
    ----------
    matrices
        At most one per modality.
    state
        The transform that the model's training rows went through.
    modalities
        The model's, in its order.
    sample_type
        What the model was trained on; others are warned of.

    Raises
    ------
    SourceError
        If a matrix is in a unit that the model does not take, or has none of its features.
    """
    owners: dict[str, str] = {}
    types: dict[str, str] = {}
    for matrix in matrices:
        # A sample that several platforms measured has a profile of each; whose it is, and its type, are the same.
        for sample, patient, kind in matrix.profiles.select("sample_id", "patient_id", "sample_type").iter_rows():
            owners[sample], types[sample] = patient, kind or "of no stated type"
    ids = sorted(owners)
    place = {sample: i for i, sample in enumerate(ids)}
    found = Aligned(MultiOmicsBatch.from_arrays({}, [], []))
    arrays = {m: np.full((len(ids), len(state.features(m))), np.nan, dtype=np.float32) for m in modalities}
    for matrix in matrices:
        rows = [place[sample] for sample in matrix.rows["sample_id"]]
        arrays[matrix.modality][rows] = _transformed(matrix, state, found)
    found.batch = MultiOmicsBatch.from_arrays(arrays, ids, [owners[i] for i in ids])
    other = [i for i in ids if types[i] != sample_type]
    if sample_type != "all" and other:
        kinds = ", ".join(sorted({types[i] for i in other}))
        found.warnings.append(
            f"{len(other)} of {len(ids)} samples are {kinds}, and the model was trained on {sample_type}: {_few(other)}"
        )
    if empty := [i for i, has in zip(ids, found.batch.present.any(dim=1).tolist(), strict=True) if not has]:
        found.warnings.append(f"{len(empty)} samples have none of the model's features: {_few(empty)}")
    return found


def _transformed(matrix: Matrix, state: TransformState, found: Aligned) -> NDArray[np.float32]:
    modality = matrix.modality
    expected, unit = state.features(modality), state.pipelines[modality].unit
    if matrix.unit != unit:
        raise SourceError(
            f"{modality} of the new patients",
            f"its unit is {matrix.unit}, and the model was trained on {unit}",
            expected=f"{unit}, or what can be converted to it, such as a logarithm of it",
            run=f"correct --unit if it is {unit} after all; else process the raw data to {unit}",
        )
    held = matrix.features["feature_id"].to_list()
    known = len(set(expected) & set(held))
    if not known:
        raise SourceError(
            f"{modality} of the new patients",
            f"none of its {len(held)} features is one of the model's {len(expected)}, e.g. {held[0]!r}",
            expected=f"features such as {expected[0]!r}",
            run="correct --modality, or give the reference tables of the model's study with --references",
        )
    found.features[modality] = {"known": known, "expected": len(expected), "further": len(held) - known}
    absent = len(expected) - known
    if absent > ABSENT * len(expected):
        found.warnings.append(
            f"{modality}: {absent} of the model's {len(expected)} features are absent and count as not observed; "
            "intervals were made with all of them and may be too narrow"
        )
    values = np.concatenate([block for _, block in row_blocks(matrix.values)])
    return state.apply(modality, values, held)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
