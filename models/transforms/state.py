"""Fitted state: a transform for every modality, and the proof of which rows it has seen.

On disk ``<folder>/<fold>/<transform>.json`` (what, on which rows, with which hashes) beside
``<folder>/<fold>/<transform>.safetensors`` (the arrays). The JSON object, in canonical form, has the keys

| key | holds |
| --- | --- |
| format, transform | ``omicstore.state/1``, and the name of the transform |
| split, manifest_hash, fold, part | where the rows come from; part is ``train`` |
| fitted_on, fitted_on_row_hash | the ids of the training samples, sorted, and their hash (`store.splitfile.row_hash`) |
| as_is | modalities of records that are read as they are: nothing is learned from them on these rows |
| slides | where patches are among these: the fields of `models.slides.axis.SlideAxis` |
| code_hash | of the source of the code that fits and applies |
| arrays_sha256 | of the safetensors file |
| modalities | an object for each matrix |

and of each matrix

| key | holds |
| --- | --- |
| unit, parameters | the unit of what is put in, the names of the steps |
| n_rows, row_hash | the samples among fitted_on that have it |
| n_features, features, feature_axis_hash | the ids that come out, in order, and their `models.files.hash_ids` |
| dropped | how many features do not come out, by reason |
| input_hash | `models.files.hash_array` of the raw numbers of these samples, all features of the query in its order |
| output_hash | the same of what the transform makes of them, features as above |

The rows of both arrays stand in the order of the sample ids, whatever order they came in. Where a number of these rows
changes, the input_hash does; the rest may not, as where a value lies beyond the limits that the transform pulls to.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.files import RowsHash, hash_ids, write_json
from models.slides.axis import PATCHES, SlideAxis
from models.transforms.matrix import Chosen, Matrix, blocks_of, matrix_of
from models.transforms.pipeline import FittedPipeline, fit_pipeline, steps_for, training_rows
from omicstore.errors import LeakageError, UnknownNameError, UsageError
from omicstore.files import sha256_of
from omicstore.modalities import get_modality
from omicstore.store.splitfile import row_hash

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["FORMAT", "Proof", "TransformState", "code_hash", "fit_state", "load_state"]

FORMAT = "omicstore.state/1"


def code_hash() -> str:
    """Return one sha256 over the source of the code that fits and applies transforms."""
    here = Path(__file__).parent
    return hash_ids(sha256_of(here / name) for name in ("matrix.py", "pipeline.py", "steps.py"))


@dataclass(frozen=True, slots=True)
class Proof:
    """Which numbers of one modality a transform was fitted on, and what it made of them.

    Attributes
    ----------
    row_hash
        Hash of the ids of the samples that have the modality.
    input_hash, output_hash
        Hash of their raw and of their transformed numbers, rows in the order of the sample ids.
    """

    row_hash: str
    input_hash: str
    output_hash: str


@dataclass(frozen=True, slots=True)
class TransformState:
    """What a transform learned from the training rows of one fold.

    It is what ``store.query(..., state=)`` asks for before it gives out held-out rows.

    Attributes
    ----------
    transform
        Name of the transform.
    split, manifest_hash, fold, part
        The split, the hash of its manifest, the fold, and the part it was fitted on, which is always ``train``.
    fitted_on, fitted_on_row_hash
        The sorted ids of the training samples, and their hash.
    pipelines
        Per modality what was learned.
    proofs
        Per modality from which numbers.
    code
        Hash of the code that fitted it.
    as_is
        Modalities of records (report, patches) that are read as they are, since nothing is learned from them.
    slides
        What a batch holds of patches, where they are among these.
    reader
        Who reads through it, for the log of test reads; not kept on disk.
    """

    transform: str
    split: str
    manifest_hash: str
    fold: int
    part: str
    fitted_on: tuple[str, ...]
    fitted_on_row_hash: str
    pipelines: dict[str, FittedPipeline]
    proofs: dict[str, Proof]
    code: str
    as_is: tuple[str, ...] = ()
    slides: SlideAxis | None = None
    reader: str = ""

    @property
    def modalities(self) -> tuple[str, ...]:
        """The matrices it was fitted for."""
        return tuple(self.pipelines)

    def features(self, modality: str) -> tuple[str, ...]:
        """Return the feature ids that `apply` gives out for a modality, or those of the columns of patches."""
        if self.slides is not None and modality == PATCHES:
            return self.slides.names
        return self._pipeline(modality).features

    def apply(self, modality: str, values: NDArray[np.floating], feature_ids: Sequence[str]) -> NDArray[np.float32]:
        """Return (n, F) transformed values of the kept features; NaN stays NaN.

        Parameters
        ----------
        modality
            Which one.
        values
            (n, G) raw values in the unit that the state was fitted on.
        feature_ids
            The G columns of `values`.

        Raises
        ------
        UnknownNameError
            If the state was not fitted on this modality.
        """
        return self._pipeline(modality).apply(values, feature_ids)

    def difference(self, other: TransformState) -> str:
        """Return what another state learned differently, as a clause; empty where nothing.

        Numbers may differ by rounding, as they do between machines.
        """
        if (self.transform, set(self.pipelines)) != (other.transform, set(other.pipelines)):
            return "another transform, or other modalities"
        if self.slides != other.slides:
            return "other patches of slides"
        for modality, mine in self.pipelines.items():
            theirs = other.pipelines[modality]
            if (mine.unit, mine.features) != (theirs.unit, theirs.features):
                return f"another unit or other features of {modality}"
            for step, a, b in zip(mine.steps, mine.params, theirs.params, strict=True):
                if set(a) != set(b) or not all(np.allclose(a[k], b[k], rtol=1e-3, atol=1e-5) for k in a):
                    return f"other numbers in {step.name} of {modality}"
        return ""

    def _pipeline(self, modality: str) -> FittedPipeline:
        if modality not in self.pipelines:
            raise UnknownNameError("modality of the fitted state", modality, self.pipelines)
        return self.pipelines[modality]

    def describe(self) -> dict[str, Any]:
        """Return what the JSON file holds, less the hash of the arrays."""
        slides = {} if self.slides is None else {"slides": self.slides.to_json()}
        return slides | {
            "format": FORMAT,
            "transform": self.transform,
            "split": self.split,
            "manifest_hash": self.manifest_hash,
            "fold": self.fold,
            "part": self.part,
            "fitted_on": list(self.fitted_on),
            "fitted_on_row_hash": self.fitted_on_row_hash,
            "as_is": list(self.as_is),
            "code_hash": self.code,
            "modalities": {
                m: {
                    "unit": p.unit,
                    "parameters": [step.name for step in p.steps],
                    "n_rows": p.n_rows,
                    "n_features": len(p.features),
                    "dropped": p.dropped,
                    "feature_axis_hash": hash_ids(p.features),
                    "features": list(p.features),
                    **asdict(self.proofs[m]),
                }
                for m, p in self.pipelines.items()
            },
        }

    def save(self, folder: Path) -> Path:
        """Write the state under `folder` and return the path of its JSON file."""
        from safetensors.numpy import save_file

        path = folder / str(self.fold) / f"{self.transform}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {
            f"{m}/{i}/{key}": np.ascontiguousarray(array)
            for m, p in sorted(self.pipelines.items())
            for i, params in enumerate(p.params)
            for key, array in sorted(params.items())
        }
        save_file(arrays, path.with_suffix(".safetensors"))
        write_json(path, self.describe() | {"arrays_sha256": sha256_of(path.with_suffix(".safetensors"))})
        return path


def fit_state(
    transform: str,
    arrays: Mapping[str, Matrix | NDArray[np.floating]],
    feature_ids: Mapping[str, Sequence[str]],
    units: Mapping[str, str],
    *,
    sample_ids: Sequence[str],
    split: str,
    manifest_hash: str,
    fold: int,
    as_is: Sequence[str] = (),
    slides: SlideAxis | None = None,
) -> TransformState:
    """Fit a transform to every modality's training rows; the order of the rows makes no difference.

    Parameters
    ----------
    transform
        A name in `models.transforms.steps.PIPELINES`.
    arrays
        Per modality (n, G) raw values of the training samples; a row of NaN is a sample without the modality.
    feature_ids, units
        Per modality the G columns and the unit.
    sample_ids
        The n training samples.
    split, manifest_hash, fold
        Where the rows come from.
    as_is
        Modalities of records (report, patches) from which nothing is learned on these rows, so that held-out ones may
        be read as they are.
    slides
        What a batch holds of patches, where they are among these.

    Raises
    ------
    UsageError
        If one of `as_is` is a matrix: these are read through what was fitted.
    """
    if matrices := [name for name in as_is if get_modality(name).kind == "matrix"]:
        raise UsageError(
            f"{matrices[0]} is a matrix and is not read as it is", expected="records: report or patches", run="fit it"
        )
    pipelines, proofs = {}, {}
    for modality, values in arrays.items():
        matrix, axis = matrix_of(values), feature_ids[modality]
        rows = training_rows(matrix, sample_ids)
        own = Chosen(matrix, rows)
        pipelines[modality] = fitted = fit_pipeline(transform, own, axis, units[modality])
        put_in, came_out = RowsHash(own.shape), RowsHash((len(rows), len(fitted.features)))
        for block in blocks_of(own):
            put_in.add(block)
            came_out.add(fitted.apply(block, axis))
        proofs[modality] = Proof(
            row_hash=row_hash(sample_ids[i] for i in rows),
            input_hash=put_in.hexdigest(),
            output_hash=came_out.hexdigest(),
        )
    return TransformState(
        transform=transform,
        split=split,
        manifest_hash=manifest_hash,
        fold=fold,
        part="train",
        fitted_on=tuple(sorted(set(sample_ids))),
        fitted_on_row_hash=row_hash(sample_ids),
        pipelines=pipelines,
        proofs=proofs,
        code=code_hash(),
        as_is=tuple(sorted({get_modality(name).name for name in as_is})),
        slides=slides,
    )


def load_state(path: Path) -> TransformState:
    """Read a state from its JSON file.

    Raises
    ------
    LeakageError
        If the arrays beside it are not those that it was written with, or it does not say on which rows it was fitted.
    """
    from safetensors.numpy import load_file

    body = json.loads(path.read_text(encoding="utf-8"))
    if lacking := [key for key in ("fitted_on", "as_is") if key not in body]:
        raise LeakageError(
            f"{path} is of an older version: it lacks {' and '.join(lacking)}",
            expected="a state that names the rows it was fitted on, and what it covers",
            run="omicstore train",
        )
    beside = path.with_suffix(".safetensors")
    if sha256_of(beside) != body["arrays_sha256"]:
        raise LeakageError(
            f"{beside} is not the file that {path.name} was written with",
            expected=f"sha256 {body['arrays_sha256']}",
            run="omicstore train",
        )
    arrays = load_file(beside)
    pipelines = {}
    for modality, entry in body["modalities"].items():
        steps = steps_for(body["transform"], entry["unit"])
        prefix = [f"{modality}/{i}/" for i in range(len(steps))]
        params = tuple(
            {k.removeprefix(p): np.asarray(v, dtype=np.float32) for k, v in arrays.items() if k.startswith(p)}
            for p in prefix
        )
        pipelines[modality] = FittedPipeline(
            entry["unit"], tuple(entry["features"]), steps, params, entry["dropped"], entry["n_rows"]
        )
    return TransformState(
        transform=body["transform"],
        split=body["split"],
        manifest_hash=body["manifest_hash"],
        fold=body["fold"],
        part=body["part"],
        fitted_on=tuple(body["fitted_on"]),
        fitted_on_row_hash=body["fitted_on_row_hash"],
        pipelines=pipelines,
        proofs={
            m: Proof(entry["row_hash"], entry["input_hash"], entry["output_hash"])
            for m, entry in body["modalities"].items()
        },
        code=body["code_hash"],
        as_is=tuple(body["as_is"]),
        slides=SlideAxis(**body["slides"]) if "slides" in body else None,
    )
