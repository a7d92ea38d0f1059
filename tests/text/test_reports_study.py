"""Reports from the study file to what a query returns: cleaned, redacted, embedded."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import omicstore
from omicstore.build.store import build_study
from omicstore.errors import StudyError, UnknownNameError, UsageError
from omicstore.sources import load_study
from omicstore.text import embedding

TEXTS = {
    "TCGA-4Z-AA7M": "UUID:935F1F78-4048-4844-81F0-1E56842A73B1\nPage 1 of 2\nA clear cell tumor of 5 cm. Stage III.",
    "TCGA-4Z-AA7N": "Papillary carcinoma, type 2.\n\x0cMargins free.\nDied in hospital.",
}


class _Hashes:
    name = "ours"

    def __call__(self, sentences: list[str]) -> np.ndarray:
        return np.array([list(hashlib.sha256(s.encode()).digest()[:3]) for s in sentences], np.float32)


def study(folder: Path, keys: str) -> Path:
    rows = "".join(f'"{patient}.8F5F9EFF.PDF","{text}"\n' for patient, text in TEXTS.items())
    (folder / "r.csv").write_text("file,text\n" + rows)
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text("{}")
    (folder / "params.yaml").write_text(
        f"study:\n  cohorts: [KIPAN]\n  sources:\n  - {{path: r.csv, format: reports, cohort: KIPAN{keys}}}\n"
    )
    return folder


def test_reports_from_the_file_to_a_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "load", lambda _: _Hashes())
    root = study(tmp_path, ", redact: kidney_subtype, redact_words: [hospital], encoder: model, exposure: none")
    build_study(root, str)
    with omicstore.open(root / "data" / "store") as store:
        cohort = store.query(modalities="report")
        reports = cohort.to_polars("report")
        assert reports["text"].to_list() == [
            "A [REDACTED] tumor of 5 cm. Stage III.",
            "[REDACTED] carcinoma, [REDACTED].\nMargins free.\nDied in [REDACTED].",
        ]
        raw = [hashlib.sha256(text.encode()).hexdigest() for text in TEXTS.values()]
        assert reports["raw_hash"].to_list() == raw
        assert reports["redacted"].to_list() == ["kidney_subtype"] * 2
        assert "clear" not in reports.write_csv().lower()  # what was taken out does not travel with the text
        record = store.table("reports")["redactions"][0]
        assert json.loads(record)["counts"] == {"clear cell*": 1}
        sentences = cohort.sentences()
        assert sentences["text"].to_list()[:2] == ["A [REDACTED] tumor of 5 cm.", "Stage III."]
        assert np.array_equal(sentences["features"].to_numpy(), _Hashes()(sentences["text"].to_list()))
        assert cohort.report_prototypes(2).means.shape == (2, 2, 3)
        again = cohort.reports(redact=["survival", "stage"])
        assert again["text"][1].endswith("[REDACTED] in [REDACTED].")
        assert "Stage" not in again["text"][0]
        assert again["redacted"][0] == "kidney_subtype, stage, survival"
        (row,) = store.table("provenance").select("encoder", "redacted").to_dicts()
        assert json.loads(row["redacted"]) == ["kidney_subtype"]
        assert json.loads(row["encoder"])["seen"] == []


def test_vectors_are_no_part_of_the_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    releases = []
    for digits in (0.0, 1e-6):
        folder = tmp_path / str(digits)
        folder.mkdir()
        monkeypatch.setattr(_Hashes, "__call__", lambda _, s, d=digits: np.full((len(s), 3), 1 + d, np.float32))
        monkeypatch.setattr(embedding, "load", lambda _: _Hashes())
        build_study(study(folder, ", encoder: model"), str)
        with omicstore.open(folder / "data" / "store") as store:
            releases.append(store.release)
    assert releases[0] == releases[1]


def test_without_an_encoder_there_are_no_vectors(tmp_path: Path) -> None:
    root = study(tmp_path, "")
    build_study(root, str)
    with omicstore.open(root / "data" / "store") as store:
        cohort = store.query(modalities="report")
        assert cohort.to_polars("report")["redacted"].to_list() == [None, None]
        with pytest.raises(UsageError, match="the reports of this store have no vectors"):
            cohort.sentences()


def test_a_task_that_nobody_knows_stops_the_build(tmp_path: Path) -> None:
    with pytest.raises(
        UnknownNameError, match="unknown task to redact 'kidney_subtyp'. Expected one of kidney_subtype"
    ):
        build_study(study(tmp_path, ", redact: [kidney_subtyp]"), str)


def test_words_are_redacted_from_reports_alone(tmp_path: Path) -> None:
    root = study(tmp_path, "")
    params = (root / "params.yaml").read_text().replace("format: reports", "format: tcga-cdr, redact: [stage]")
    (root / "params.yaml").write_text(params)
    with pytest.raises(StudyError, match="redact is for reports, not for tcga-cdr"):
        load_study(root / "params.yaml")
