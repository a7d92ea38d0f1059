"""Train and judge the model anew under every strategy, and write what each costs."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from models.datamodule import CohortDataModule
from models.evaluate.bootstrap import estimate
from models.files import write_json
from models.price.figure import price_figure
from models.price.measure import Measured, by_imputation, by_label, by_survival
from models.price.settings import PriceSettings
from models.registry import get_model
from models.settings import EvaluateSettings, Impute, Survival, TrainSettings, read_params
from models.train import fit
from omicstore.errors import SplitError
from omicstore.progress import task
from omicstore.splits import RANDOM, SplitSpec, make

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from omicstore.splits import Manifest
    from omicstore.store.reader import Store

__all__ = ["FORMAT", "METRICS", "REFERENCE", "price"]

FORMAT = "omicstore.price/1"

#: What every other strategy is compared with: neither people nor sites cross it.
REFERENCE = "site_preserved_kfold"

#: What is measured, by task.
METRICS = {
    "imputation": "mean Pearson r over features",
    "survival": "Harrell's C within cohorts",
    "label": "balanced accuracy",
}


def price(root: Path, store: Store, *, say: Callable[[str], None], model: str | None = None) -> dict[str, Any]:
    """Write ``reports/price.json`` and ``reports/price.svg``.

    Under each strategy the model is trained anew in every fold, on the training rows, with the epoch chosen on val, and
    judged on test. A number is the mean over folds; its interval resamples the patients of each fold's test part. The
    splits are kept in ``splits/price/<strategy>``; every opening of a test part is logged there.

    Parameters
    ----------
    root
        The study's folder.
    store
        Its store.
    say
        Called with a line per step.
    model
        Instead of ``train.model`` of params.yaml.

    Returns
    -------
    What price.json holds: ``tasks``, per task a row for each strategy and method.
    """
    params = read_params(root)
    train, judge, settings = TrainSettings.of(params, model), EvaluateSettings.of(params), PriceSettings.of(params)
    base = SplitSpec.from_params(params["split"])
    found: dict[str, list[dict[str, Measured]]] = {}
    refused: dict[str, str] = {}
    splits: dict[str, str] = {}
    for strategy in settings.strategies:
        spec = _spec(base, strategy, settings, train)
        folder = root / "splits" / "price" / strategy
        try:
            manifest = make(store, spec, folder, root=root)
        except SplitError as error:
            refused[strategy] = str(error)
            say(f"{strategy}: {error}")
            continue
        splits[strategy] = manifest.manifest_hash
        found[strategy] = _folds(store, folder, manifest, train, judge, settings, say)
    for left in sorted((root / "splits" / "price").glob("*/")):
        if left.name not in splits:  # of a strategy that is priced no more
            shutil.rmtree(left)
    tasks = {name: _table(name, found, refused) for name in METRICS if _asked(name, judge, settings)}
    body = {
        "format": FORMAT,
        "model": train.model,
        "preset": train.preset,
        "config": train.config | settings.config,
        "modalities": list(train.modalities),
        "sample_type": settings.sample_type or train.sample_type,
        "release": store.release,
        "simulated": store.simulated,
        "seed": train.seed,
        "splits": splits,
        "bootstrap": {"resamples": judge.bootstrap, "unit": "patient", "interval": "95% percentile"},
        "tasks": tasks,
    }
    write_json(root / "reports" / "price.json", body)
    (root / "reports" / "price.svg").write_text(price_figure(body), encoding="utf-8", newline="\n")
    return body


def _spec(base: SplitSpec, strategy: str, settings: PriceSettings, train: TrainSettings) -> SplitSpec:
    """Return the study's own split with another strategy."""
    return base.under(
        strategy,
        name=f"price-{strategy}",
        k=settings.k,
        cohorts=train.cohorts or base.cohorts,
        nested=None,
        repeats=None,
        preserve=None,
        price_list=True if strategy == RANDOM else None,
    )


def _folds(
    store: Store,
    folder: Path,
    manifest: Manifest,
    train: TrainSettings,
    judge: EvaluateSettings,
    settings: PriceSettings,
    say: Callable[[str], None],
) -> list[dict[str, Measured]]:
    found = []
    with task(f"pricing {manifest.body['strategy']['name']}", manifest.k, "folds") as advance:
        for fold in range(manifest.k):
            found.append(_fold(store, folder, fold, train, judge, settings))
            advance()
    say(f"{manifest.body['strategy']['name']}: {manifest.k} folds")
    return found


def _fold(
    store: Store, folder: Path, fold: int, train: TrainSettings, judge: EvaluateSettings, settings: PriceSettings
) -> dict[str, Measured]:
    spec = get_model(train.model)
    config = spec.make_config(train.preset, train.config | settings.config)
    data = CohortDataModule(
        store,
        folder,
        fold,
        modalities=train.modalities,
        transform=config.transform,
        cohorts=train.cohorts,
        sample_type=settings.sample_type or train.sample_type,
        reader=f"omicstore price: {train.model}",
        endpoint=judge.survival.endpoint if isinstance(judge.survival, Survival) else None,
        batch_size=config.batch_size,
        seed=train.seed,
    )
    with torch.random.fork_rng():
        torch.manual_seed(train.seed)
        module = spec.build(data.axes, config)
    best = fit(module, data, config, devices=train.devices, seed=train.seed, advance=lambda: None)
    module.load_state_dict(best.weights)
    module.eval()
    seeded = replace(judge, seed=judge.seed + fold)
    found = {}
    if isinstance(judge.impute, Impute):
        found["imputation"] = by_imputation(train.model, module, data, judge.impute, seeded)
    if isinstance(judge.survival, Survival):
        found["survival"] = by_survival(train.model, module, data, store, judge.survival, seeded)
    if settings.label is not None:
        found["label"] = by_label(train.model, module, data, store, settings.label, seeded)
    return found


def _asked(name: str, judge: EvaluateSettings, settings: PriceSettings) -> bool:
    return {
        "imputation": isinstance(judge.impute, Impute),
        "survival": isinstance(judge.survival, Survival),
        "label": settings.label is not None,
    }[name]


def _table(name: str, found: dict[str, list[dict[str, Measured]]], refused: dict[str, str]) -> dict[str, Any]:
    """Return a row for each strategy and method, and why there is none where there is none.

    ``price`` is how much more a method reaches than with `REFERENCE`; its interval takes the two as independent.
    """
    rows: list[dict[str, Any]] = []
    absent = dict(refused)
    resampled: dict[tuple[str, str], NDArray[np.float64]] = {}
    for strategy, folds in found.items():
        measured = [fold[name] for fold in folds if not fold[name].absent]
        if not measured:
            absent[strategy] = folds[0][name].absent
            continue
        for method in measured[0].values:
            each = np.stack([m.values[method] for m in measured])
            resampled[strategy, method] = np.nanmean(each, axis=0)
            rows.append(
                {
                    "strategy": strategy,
                    "method": method,
                    **estimate(resampled[strategy, method]),
                    "by_fold": [round(float(v), 6) for v in each[:, 0]],
                    "n_folds": len(measured),
                    "n_test": sum(m.n_test for m in measured),
                }
            )
    for row in rows:
        strict = resampled.get((REFERENCE, row["method"]))
        if strict is not None and row["strategy"] != REFERENCE:
            row["price"] = estimate(resampled[row["strategy"], row["method"]] - strict)
    return {"metric": METRICS[name], "reference": REFERENCE, "rows": rows, "not_applicable": absent}
