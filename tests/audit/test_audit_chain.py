"""One change anywhere between the store's numbers and the metric is found, and named."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from chain_study import (
    edit_json,
    edit_statistic,
    failed,
    flip,
    judged,
    reseal_store,
    store_body,
)

from omicstore.audit import audit
from omicstore.audit.run import CHAIN

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Tamper = Callable[[Path], None]


def test_an_untouched_study_passes(chained: Path) -> None:
    found = judged(chained)
    assert {name: f.status for name, f in found.items()} == dict.fromkeys(CHAIN, "pass"), failed(chained)
    assert found["release"].evidence["found"] == store_body(chained)["release"]
    assert found["release"].evidence["files"] == len(store_body(chained)["files"])
    assert found["state"].evidence["statistics"] > 40
    assert found["evaluation"].evidence["derived"] > 20


def test_a_split_is_audited_in_all_its_folds(chained: Path) -> None:
    found = audit(chained / "splits" / "default", checks=CHAIN)
    assert {f.id: f.status for f in found.findings} == {
        "release": "pass", "split": "pass", "people": "pass", "retractions": "pass",
        "state": "not_applicable", "checkpoint": "not_applicable", "evaluation": "not_applicable",
    }  # fmt: skip
    assert found.about["folds"] == [0, 1, 2]


# -- retractions


def log_event(root: Path, **event: Any) -> None:
    for folder in (root / "releases", root / "data/store/releases"):
        with (folder / "log.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(event) + "\n")


def test_what_was_retracted_and_not_taken_back_is_a_warning(tampered: Path) -> None:
    release = store_body(tampered)["release"]
    thing = {"kind": "release", "release": release, "name": "v1", "date": "2026-11-21"}
    log_event(tampered, event="retract", reason="rna was in log2.", replaced_by="v2", **thing)
    finding = judged(tampered)["retractions"]
    assert (finding.status, finding.severity) == ("fail", "warning")
    assert finding.found == "release v1 is retracted: rna was in log2; use v2 instead"
    log_event(tampered, event="restore", reason="it was not", **thing)
    assert judged(tampered)["retractions"].status == "pass"


def test_a_retracted_patient_counts_where_it_is_assigned(tampered: Path) -> None:
    event = {"event": "retract", "kind": "patient", "reason": "withdrew consent", "replaced_by": None, "date": ""}
    log_event(tampered, **event, patient="NOBODY", name="NOBODY")
    assert judged(tampered)["retractions"].status == "pass"
    patient = pl.read_parquet(tampered / "splits/default/assignments.parquet")["patient_id"][0]
    log_event(tampered, **event, patient=patient, name=patient)
    assert judged(tampered)["retractions"].found == f"patient {patient} is retracted: withdrew consent"


def test_a_line_of_the_log_that_says_nothing_is_an_error(tampered: Path) -> None:
    log_event(tampered, event="retract", kind="release")
    finding = judged(tampered)["retractions"]
    assert (finding.severity, finding.found) == (
        "error",
        "line 2 of releases/log.jsonl is not what omicstore writes there",
    )


@pytest.mark.parametrize("place", ["releases", "data/store/releases"])
def test_a_retraction_cannot_be_cut_off_or_changed_in_one_log(tampered: Path, place: str) -> None:
    release = store_body(tampered)["release"]
    thing = {"kind": "release", "release": release, "name": "v1", "date": "", "replaced_by": None}
    log_event(tampered, event="retract", reason="wrong", **thing)
    log = tampered / place / "log.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines()
    log.write_text(f"{lines[0]}\n", encoding="utf-8")
    assert judged(tampered)["retractions"].found == "release v1 is retracted: wrong"
    log.write_text(f"{lines[0]}\n{lines[1].replace(release, '0' * 64)}\n", encoding="utf-8")
    assert "line 2 of releases/log.jsonl is another in the study than in the store" in failed(tampered)["retractions"]


def test_a_retraction_that_the_split_knows_and_the_log_does_not_is_told(tampered: Path) -> None:
    known = {"kind": "patient", "patient": "P1", "name": "P1", "reason": "withdrew consent", "replaced_by": None}
    edit_json(tampered / "splits/default/manifest.json", lambda b: b["release"]["retractions"].append(known))
    assert failed(tampered)["retractions"] == "the split says that patient P1 is retracted, and the log does not"


# -- files that are not what they should be


JSON = (
    "data/store/store.json", "splits/default/manifest.json", "artifacts/aro/sidecar.json", "artifacts/aro/history.json",
    "artifacts/aro/state/0/default.json", "reports/evaluation.json", "reports/metrics.json",
)  # fmt: skip
BINARY = (
    "splits/default/assignments.parquet", "splits/default/identity.parquet", "artifacts/aro/weights.safetensors",
    "artifacts/aro/state/0/default.safetensors", "reports/predictions.parquet",
)  # fmt: skip


@pytest.mark.parametrize("path", [*JSON, *BINARY])
@pytest.mark.parametrize("content", [b"", b"[]", b'{"format": [1]}', b"PAR1 \xff\xfe PAR1"])
def test_an_odd_file_is_a_finding_that_names_it(tampered: Path, path: str, content: bytes) -> None:
    (tampered / path).write_bytes(content)
    stem = path.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    found = failed(tampered)
    assert any(stem in sentence for sentence in found.values()), found


@pytest.mark.parametrize("path", [*JSON, *BINARY])
def test_a_flipped_byte_is_found_and_the_file_named(tampered: Path, path: str) -> None:
    flip(tampered / path, 0.4)
    found = failed(tampered)
    stem = path.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    assert any(stem in sentence for sentence in found.values()), found


@pytest.mark.parametrize("path", ["splits/default/assignments.parquet", "artifacts/aro/weights.safetensors"])
def test_an_absent_file_is_named(tampered: Path, path: str) -> None:
    (tampered / path).unlink()
    assert any(f"{path.rsplit('/', 1)[-1]} is absent" in sentence for sentence in failed(tampered).values())


def test_a_model_alone_is_checked_as_far_as_it_goes(tampered: Path, tmp_path: Path) -> None:
    shutil.copytree(tampered / "artifacts/aro", tmp_path / "alone")
    found = {f.id: f.status for f in audit(tmp_path / "alone", checks=CHAIN).findings}
    assert found == dict.fromkeys(CHAIN, "not_applicable") | {"checkpoint": "pass"}
    shutil.rmtree(tampered / "splits/default")
    assert "the split default that the model names is not in" in failed(tampered)["checkpoint"]


def test_without_a_store_the_rest_of_the_chain_is_checked(tampered: Path) -> None:
    shutil.rmtree(tampered / "data")
    found = judged(tampered)
    assert {name for name, f in found.items() if f.status == "fail"} == set()
    assert found["release"].status == "not_applicable"
    assert found["state"].status == "not_applicable"  # hashes that fit say nothing of what was fitted on what
    assert found["state"].how.startswith("there is no store of this release here to fit on; files, features and rows")
    edit_statistic(tampered, "rna/2/mean", 0, 5.0)
    assert "does not have the arrays_sha256" in failed(tampered)["state"]


def test_another_release_in_the_store_is_told(tampered: Path) -> None:
    """The store moved on; what is audited names a release that is kept in releases/."""
    edit_json(tampered / "data/store/store.json", lambda b: b.update(dataset="moved on"))
    reseal_store(tampered)
    assert judged(tampered)["release"].status == "pass"
    shutil.rmtree(tampered / "releases")
    shutil.rmtree(tampered / "data/store/releases")
    assert re.search("the store holds release [0-9a-f]{12}, and what is audited names", failed(tampered)["release"])
