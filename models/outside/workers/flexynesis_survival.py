"""Runs in the environment of Flexynesis: learn survival from some rows, and answer with the risks of others.

Its importer is not used: it drops features by their variance among test rows too. The matrices come transformed.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = dict[str, NDArray[np.float32]]

_PATIENCE = 10


def main(folder: Path) -> None:
    """Read what is given in a folder, and write the answer there."""
    with np.load(folder / "given.npz", allow_pickle=False) as given:
        arrays = {name: given[name] for name in given.files}
    settings = json.loads((folder / "settings.json").read_text())
    risks = {}
    for i in range(settings["searches"]):
        model = _searched(_samples(arrays, f"known{i}"), settings)
        for group in sorted({name.split(".")[0] for name in arrays if name.startswith(f"new{i}-")}):
            risks[group] = model.predict(_samples(arrays, group))["event"].reshape(-1)
    np.savez(folder / "answer.npz", **risks)


def _searched(known: Any, settings: dict[str, Any]) -> Any:
    """Return the model of the best settings found."""
    from flexynesis.config import search_spaces
    from flexynesis.main import HyperparameterTuning
    from flexynesis.models import DirectPred
    from lightning import seed_everything
    from skopt.space import Categorical

    # Each tuner appends its batch sizes to the shared list of what is searched.
    search_spaces["DirectPred"] = [s for s in search_spaces["DirectPred"] if s.name != "batch_size"]
    seed_everything(settings["seed"], workers=True)
    tuner = HyperparameterTuning(
        known,
        DirectPred,
        "DirectPred",
        target_variables=[],
        surv_event_var="event",
        surv_time_var="time",
        n_iter=settings["rounds"],
        early_stop_patience=_PATIENCE,
        device_type="cpu",
        num_workers=0,
    )
    tuner.space = [Categorical([settings["epochs"]], name=s.name) if s.name == "epochs" else s for s in tuner.space]
    model, _ = tuner.perform_tuning()
    return model


def _samples(arrays: Arrays, part: str) -> Any:
    """Return rows as Flexynesis takes them."""
    import torch
    from flexynesis.data import MultiOmicDataset

    views = {name.split(".", 2)[2]: a for name, a in arrays.items() if name.startswith(f"{part}.view.")}
    n = len(next(iter(views.values())))
    # New rows have no outcome: it is not a number, and is not read.
    outcome = {key: arrays.get(f"{part}.{key}", np.full(n, np.nan, np.float32)) for key in ("event", "time")}
    return MultiOmicDataset(
        {m: torch.from_numpy(a) for m, a in views.items()},
        {key: torch.from_numpy(a) for key, a in outcome.items()},
        dict.fromkeys(outcome, "numerical"),
        {m: [f"{m}-{j}" for j in range(a.shape[1])] for m, a in views.items()},
        [f"s{i:06d}" for i in range(n)],
        {},
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]))
