"""A trained model in a study folder, as its author's own code would write it, with its log and evaluation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch

import omicstore
from models.batch import MultiOmicsBatch
from models.canaries.study import SPLIT
from models.checkpoint import read_sidecar, save_checkpoint
from models.evaluate.about import about
from models.evaluate.conclusions import conclusions
from models.evaluate.flat import flat_metrics
from models.evaluate.prediction import reconstruction
from models.evaluate.sealing import write_evaluation
from models.files import hash_array, write_json
from models.registry import get_model
from models.settings import EvaluateSettings
from models.transforms.pipeline import fit_pipeline, training_rows
from models.transforms.state import fit_state
from omicstore.files import sha256_of
from omicstore.splits import read
from omicstore.store.openings import TEST_READS, append_opening
from omicstore.store.splitfile import row_hash

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from models.module import MultiOmicsModule
    from models.transforms.state import TransformState
    from omicstore.simulate.leaks import Case
    from omicstore.splits import Manifest

__all__ = ["MODEL", "write_model"]

MODEL, PRESET, MODALITIES, FOLD = "aro", "small", ("rna", "meth", "prot"), 0

_SAMPLE_TYPE = "primary"
_NOT_ASKED = "not judged in a canary"
_SETTINGS = EvaluateSettings(impute=_NOT_ASKED, survival=_NOT_ASKED, bootstrap=20)


def write_model(root: Path, case: Case) -> Path:
    """Write the model of a case beside the split that `write_study` wrote, and return its folder.

    The weights are the smallest ARO's and have learned nothing: no check asks how good a model is.
    """
    spec = get_model(MODEL)
    epochs = len(case.losses)
    config = spec.make_config(PRESET, {"hidden": 8, "max_epochs": epochs, "patience": epochs})
    manifest = read(root / "splits" / SPLIT)
    rows = _Rows(root, manifest)
    state = _fitted(rows, case, manifest)
    with torch.random.fork_rng():
        torch.manual_seed(case.seed)
        module = spec.build({m: len(state.features(m)) for m in MODALITIES}, config)
    module.eval()
    epoch = case.practice.chosen_epoch if case.practice.chosen_epoch is not None else int(case.losses[:, 1].argmin())
    sidecar: dict[str, Any] = {
        "model": MODEL,
        "preset": PRESET,
        "modalities": list(MODALITIES),
        "n_parameters": module.n_parameters,
        "release": rows.release,
        "simulated": True,
        "cohorts": sorted(case.cohorts),
        "sample_type": _SAMPLE_TYPE,
        "split": {"name": SPLIT, "manifest_hash": manifest.manifest_hash, "fold": FOLD},
        "seed": case.seed,
        "n_train": len(rows.ids["train"]),
        "n_val": len(rows.ids["val"]),
        "row_hash": {part: row_hash(rows.ids[part]) for part in ("train", "val")},
        "selection": {"part": "val", "metric": "loss", "value": float(case.losses[epoch, 1]), "epoch": epoch},
    }
    folder = root / "artifacts" / MODEL
    history = folder / "history.json"
    write_json(history, _history(case))
    sidecar["history"] = {"path": history.name, "sha256": sha256_of(history)}
    save_checkpoint(folder, weights=module.state_dict(), state=state, config=config, sidecar=sidecar)
    _evaluate(root, folder, rows, module, state, case.practice.readers)
    return folder


class _Rows:
    """The primary tumours of a store by part of a fold, read without the split, as the author's own code does."""

    def __init__(self, root: Path, manifest: Manifest) -> None:
        with omicstore.open(root / "data" / "store") as store:
            self.release = store.release
            found = store.query(modalities=list(MODALITIES), sample_type=_SAMPLE_TYPE)
            self.samples = found.samples.select("sample_id", "patient_id", "cohort")
            self.arrays = found.to_numpy()
            self.axes = {m: found.features(m)["feature_id"].to_list() for m in MODALITIES}
            self.units = {m: str(entry["unit"]) for m, entry in found.summary()["modalities"].items()}
        placed = manifest.assignments.filter(pl.col("fold") == FOLD).select("cohort", "sample_id", "part")
        parts = self.samples.join(placed, on=["cohort", "sample_id"], how="left", maintain_order="left")["part"]
        self.at = {
            part: np.flatnonzero((parts == part).fill_null(value=False).to_numpy()) for part in ("train", "val", "test")
        }
        names = self.samples["sample_id"].to_list()
        self.ids = {part: [names[i] for i in at] for part, at in self.at.items()}

    def take(self, at: NDArray[np.intp]) -> dict[str, NDArray[np.float32]]:
        """Return the raw numbers of rows."""
        return {m: values[at] for m, values in self.arrays.items()}

    def batch(self, part: str, state: TransformState) -> MultiOmicsBatch:
        """Return the transformed rows of a part."""
        arrays = {m: state.apply(m, values, self.axes[m]) for m, values in self.take(self.at[part]).items()}
        return MultiOmicsBatch.from_arrays(
            arrays, self.ids[part], self.samples["patient_id"].gather(self.at[part]).to_list()
        )


def _fitted(rows: _Rows, case: Case, manifest: Manifest) -> TransformState:
    """Return the state; where the author fitted it on further rows, all else in it is as of the training rows."""
    train = rows.take(rows.at["train"])
    where = {"split": SPLIT, "manifest_hash": manifest.manifest_hash, "fold": FOLD}
    state = fit_state("default", train, rows.axes, rows.units, sample_ids=rows.ids["train"], **where)  # type: ignore[arg-type]
    too = np.flatnonzero(rows.samples["sample_id"].is_in(sorted(case.practice.fitted_too)).to_numpy())
    if not too.size:
        return state
    seen = rows.take(np.union1d(rows.at["train"], too))
    pipelines, proofs = {}, {}
    for m in MODALITIES:
        measured = ~np.isnan(seen[m]).all(axis=1)
        fitted = fit_pipeline("default", seen[m][measured], rows.axes[m], rows.units[m])
        own = train[m][training_rows(train[m], rows.ids["train"])]
        pipelines[m] = replace(fitted, n_rows=len(own))
        proofs[m] = replace(state.proofs[m], output_hash=hash_array(fitted.apply(own, rows.axes[m])))
    return replace(state, pipelines=pipelines, proofs=proofs)


def _history(case: Case) -> list[dict[str, float]]:
    names = ("train", "val", "test") if case.practice.test_loss else ("train", "val")
    return [{"epoch": i} | dict(zip(names, losses, strict=False)) for i, losses in enumerate(case.losses.tolist())]


def _evaluate(
    root: Path, folder: Path, rows: _Rows, module: MultiOmicsModule, state: TransformState, readers: tuple[str, ...]
) -> None:
    """Judge the model on the test rows, once others have read them, and log every reading."""
    sidecar = read_sidecar(folder)
    train, test = rows.batch("train", state), rows.batch("test", state)
    entry = {
        "release": rows.release, "manifest_hash": state.manifest_hash, "fold": FOLD, "modalities": list(MODALITIES),
        "n_samples": len(test),
    }  # fmt: skip
    own = f"omicstore evaluate: {MODEL}, weights {sidecar['weights']['sha256'][:12]}"
    log = root / "splits" / SPLIT / TEST_READS
    opening = [append_opening(log, entry | {"reader": reader}) for reader in (*readers, own)][-1]
    tables, predictions = reconstruction(MODEL, module, train, test, module.encode(test).z.shape[1], _SETTINGS)
    body: dict[str, Any] = about(
        sidecar, _SETTINGS, transform=state.transform, sample_ids=test.sample_id, opening=opening
    ) | {
        "reconstruction": tables,
        "imputation": {"not_applicable": _NOT_ASKED},
        "survival": {"not_applicable": _NOT_ASKED},
        "classes": {"not_applicable": _NOT_ASKED},
        "clusters": {"not_applicable": _NOT_ASKED},
        "translation": {"not_applicable": _NOT_ASKED},
        "drop": {"not_applicable": _NOT_ASKED},
    }
    body["conclusions"] = conclusions(get_model(MODEL).title, MODEL, body)
    write_evaluation(
        root / "reports",
        body,
        predictions=predictions,
        cohorts=dict(rows.samples.select("patient_id", "cohort").iter_rows()),
        metrics=flat_metrics(body),
        plots={},
    )
