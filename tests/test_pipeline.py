"""The whole pipeline through DVC: what runs again, what does not, and that two clean runs give the same bytes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from omicstore.simulate import simulate
from omicstore.study.create import create_study

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def repro(study: Path, *targets: str) -> list[str]:
    """Run ``dvc repro`` and return the stages that ran."""
    env = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "repro", *targets],
        cwd=study,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return re.findall(r"Running stage '([^']+)'", done.stdout)


def tree(root: Path, *folders: str) -> dict[str, bytes]:
    found = {}
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.is_file() and "/." not in name and path.name != "test_reads.jsonl":
                found[name] = path.read_bytes()
    return found


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("raw"), scale=0.5)


@pytest.fixture(scope="module")
def study(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study") / "demo"
    create_study(folder, raw)
    repro(folder)
    return folder


def test_everything_that_is_promised_is_there(study: Path) -> None:
    for name in (
        "validation.json",
        "validation.html",
        "metrics.json",
        "evaluation.json",
        "predictions.parquet",
        "report.html",
        "audit.html",
        "audit.json",
    ):
        assert (study / "reports" / name).stat().st_size > 0
    metrics = json.loads((study / "reports" / "metrics.json").read_text())
    assert metrics
    assert all(isinstance(value, int | float) for value in metrics.values()), "metrics are flat numbers"


def test_a_second_run_changes_nothing(study: Path) -> None:
    before = tree(study, "data", "splits", "artifacts", "reports", "plan")
    assert repro(study) == ["plan"]
    assert tree(study, "data", "splits", "artifacts", "reports", "plan") == before


def test_two_clean_runs_give_the_same_bytes(study: Path, raw: Path, tmp_path: Path) -> None:
    # Beside the first, since provenance says where a file lay, seen from the study.
    other = tmp_path / "demo"
    create_study(other, raw)
    repro(other)
    folders = ("data/store", "splits", "reports", "artifacts")
    assert tree(other, *folders) == tree(study, *folders)


def test_adding_a_cohort_builds_that_cohort_and_no_other(raw: Path, tmp_path: Path) -> None:
    folder = tmp_path / "grown"
    body = yaml.safe_load(raw.read_text())
    everything = body["study"]["sources"]
    body["study"]["cohorts"] = ["BRCA", "LGG"]
    body["study"]["sources"] = [s for s in everything if s.get("cohort") in (None, "BRCA", "LGG")]
    few = raw.with_name("few.yaml")
    few.write_text(yaml.safe_dump(body))
    create_study(folder, few)
    assert {"build@BRCA", "build@LGG"} <= set(repro(folder, "assemble"))

    params = yaml.safe_load((folder / "params.yaml").read_text())
    params["study"]["cohorts"].append("GBM")
    root = os.path.relpath(raw.parent, folder)  # noqa: TID251 - walks up
    added = [s | {"path": f"{root}/{s['path']}"} for s in everything if s.get("cohort") == "GBM"]
    params["study"]["sources"] += added
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    assert repro(folder, "assemble") == ["plan", "build@GBM", "assemble"]


def test_an_error_of_the_validation_stops_training(raw: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bad"
    create_study(folder, raw)
    text = (folder / "params.yaml").read_text()
    # Logarithms that are declared as TPM: no value is over 50.
    (folder / "params.yaml").write_text(text.replace("cohort: LGG, unit: log2(tpm+1)", "cohort: LGG, unit: tpm"))
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "repro"], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "TPM" in done.stdout + done.stderr
    assert not (folder / "artifacts").exists()
    shutil.rmtree(folder)
