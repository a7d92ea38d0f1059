"""A tiny study with a store and a split, ready to be trained on."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
import yaml
from store_factory import make_cohort

import omicstore
from omicstore.splits import SplitSpec, make
from omicstore.store.writer import assemble

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from omicstore.store.reader import Store

# Tests may `import model_runs`: pytest's importlib mode puts no folder on the path.
_SPEC = importlib.util.spec_from_file_location("model_runs", Path(__file__).parent / "model_runs.py")
model_runs = importlib.util.module_from_spec(_SPEC)
sys.modules["model_runs"] = model_runs
_SPEC.loader.exec_module(model_runs)

PARAMS: dict[str, Any] = {
    "study": {"dataset": "tiny"},
    "split": {"name": "default", "strategy": "grouped_kfold", "k": 4, "seed": 1, "cohorts": ["AAA", "BBB"]},
    "train": {
        "model": "aro",
        "preset": "small",
        "modalities": ["rna", "prot"],
        "cohorts": ["AAA", "BBB"],
        "fold": 0,
        "seed": 17,
        "config": {"hidden": 96, "max_epochs": 60},
    },
    "evaluate": {"impute": {"from": "rna", "to": "prot"}, "survival": {"endpoint": "OS"}, "bootstrap": 60},
}


def _write_study(root: Path, triple: Collection[str] = ()) -> None:
    """Write params.yaml, a store in which proteins follow genes, and a split; `triple` are samples with other genes."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "params.yaml").write_text(yaml.safe_dump(PARAMS), encoding="utf-8")
    for name, seed in (("AAA", 1), ("BBB", 2)):
        data = make_cohort(name, seed=seed, n_patients=60, modalities=("rna", "prot"), missing=0.1)
        rna, prot = data.parts["rna"], data.parts["prot"]
        genes = dict(zip(rna.rows["sample_id"], np.log1p(rna.values), strict=True))
        for i, sample in enumerate(prot.rows["sample_id"]):
            if sample in genes:
                noise = np.random.default_rng([seed, i]).normal(0, 0.3, prot.values.shape[1])
                prot.values[i] = np.nan_to_num(genes[sample], nan=3.0) + noise
        for i, sample in enumerate(rna.rows["sample_id"]):
            if sample in triple:
                rna.values[i] *= 3
        outcomes = data.tables["outcomes"]
        data.tables["outcomes"] = outcomes.with_columns(
            pl.when(pl.col("patient_id") == outcomes["patient_id"][0])
            .then(0.0)
            .otherwise("time_days")
            .alias("time_days")
        )
        data.write(root / "data" / "store", name)
    assemble(root / "data" / "store", ["AAA", "BBB"], dataset="tiny", simulated=True)
    with omicstore.open(root / "data" / "store") as store:
        make(store, SplitSpec.from_params(PARAMS["split"]), root / "splits" / "default")


@pytest.fixture(scope="session")
def write_study() -> Callable[..., None]:
    """Return what writes such a study."""
    return _write_study


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study's folder; tests that write into it take a copy."""
    root = tmp_path_factory.mktemp("models") / "study"
    _write_study(root)
    return root


@pytest.fixture
def store(study: Path) -> Iterator[Store]:
    """The study's store, open."""
    with omicstore.open(study / "data" / "store") as opened:
        yield opened


@pytest.fixture(scope="session")
def trained(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with a trained, judged and reported model; only for reading."""
    from models.report.html import write_report

    root = tmp_path_factory.mktemp("trained") / "study"
    shutil.copytree(study, root)
    model_runs.run_train(root)
    model_runs.run_evaluate(root)
    write_report(root)
    return root


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    """A copy of it, to do anything with."""
    shutil.copytree(trained, tmp_path / "study")
    return tmp_path / "study"
