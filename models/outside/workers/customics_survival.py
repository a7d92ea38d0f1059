"""Runs in the environment of CustOmics: learn survival from some rows, and answer with the risks of others.

The settings are those that its documentation gives for a first run with 200 to 1,000 samples.
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

_WIDTHS = {"hidden_dim": [256, 128], "latent_dim": 64, "norm": True, "dropout": 0.2}
_BATCH = 32


def main(folder: Path) -> None:
    """Read what is given in a folder, and write the answer there."""
    with np.load(folder / "given.npz", allow_pickle=False) as given:
        arrays = {name: given[name] for name in given.files}
    settings = json.loads((folder / "settings.json").read_text())
    best = max((_trained(arrays, epochs, settings["seed"]) for epochs in settings["epochs"]), key=lambda f: f["c"])
    np.savez(folder / "answer.npz", val=best["val"], new=best["new"])


def _trained(arrays: Arrays, epochs: int, seed: int) -> dict[str, Any]:
    """Return the risks after so many epochs, and the C on the validation rows."""
    import torch
    from customics import CustOMICS

    torch.manual_seed(seed)
    train, val, new = (_samples(arrays, part) for part in ("train", "val", "new"))
    model = CustOMICS(
        source_params={m: _WIDTHS | {"input_dim": train[m].n_vars} for m in train.mod},
        central_params=_WIDTHS | {"beta": 1.0},
        # It always has a classifier; a weight of 0 keeps it from learning.
        classif_params={"n_class": 2, "lambda": 0.0, "hidden_layers": [64, 32], "dropout": 0.2},
        surv_params={
            "lambda": 1.0,
            "dims": [32, 16],
            "activation": "SELU",
            "l2_reg": 1e-2,
            "norm": True,
            "dropout": 0.2,
        },
        train_params={"switch": max(epochs // 2, 1), "lr": 1e-3},
        device=torch.device("cpu"),
    )
    # Batch normalisation cannot take a last batch of one.
    size = _BATCH if train.n_obs % _BATCH != 1 else _BATCH - 1
    model.fit(train, batch_size=size, n_epochs=epochs, verbose=False)

    def risk(samples: Any) -> NDArray[np.float64]:
        latent = torch.from_numpy(np.asarray(model.get_latent_representation(samples), dtype=np.float32))
        with torch.no_grad():
            return np.asarray(model.survival_predictor(latent).reshape(-1), dtype=np.float64)

    return {"c": model.evaluate(val, task="survival"), "val": risk(val), "new": risk(new)}


def _samples(arrays: Arrays, part: str) -> Any:
    """Return rows as CustOmics takes them; it sorts them by name, so their names are in order."""
    import customics
    import pandas as pd
    from anndata import AnnData
    from mudata import MuData

    views = {name.split(".", 2)[2]: a for name, a in arrays.items() if name.startswith(f"{part}.view.")}
    n = len(next(iter(views.values())))
    names = [f"s{i:06d}" for i in range(n)]
    found = MuData(
        {
            m: AnnData(pd.DataFrame(a, index=names, columns=[f"{m}-{j}" for j in range(a.shape[1])]))
            for m, a in views.items()
        }
    )
    # New rows have no outcome; a day and no event stand where one is asked for, and are not read.
    event = arrays.get(f"{part}.event", np.zeros(n)).astype(int)
    time = arrays.get(f"{part}.time", np.ones(n))
    found.obs = pd.DataFrame({"event": event, "time": time, "label": event.astype(str)}, index=names)
    customics.prepare_input(found, label="label", event="event", surv_time="time")
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main(Path(sys.argv[1]))
