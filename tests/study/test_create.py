"""`omicstore init`: the folder it makes, and the defaults it chooses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from omicstore.errors import StudyError, UsageError
from omicstore.sources import load_study
from omicstore.study.create import create_study, dvc_yaml, params_text
from omicstore.study.defaults import Measured, defaults_for
from omicstore.study.peek import measured_samples

ROOT = Path(__file__).resolve().parents[2]


def barcodes(n: int, sites: int) -> frozenset[str]:
    return frozenset(f"TCGA-{i % sites:02d}-{i:04d}-01" for i in range(n))


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """Files of one cohort, and the study file that names them."""
    folder = tmp_path / "upstream"
    folder.mkdir()
    ids = sorted(barcodes(60, 12))
    (folder / "rna.tsv").write_text("gene\t" + "\t".join(ids) + "\nTP53" + "\t1.5" * 60 + "\n")
    (folder / "rppa.csv").write_text("id,HER2\n" + "".join(f"{i},0.5\n" for i in ids[:50]))
    (folder / "study.yaml").write_text(
        "study:\n  dataset: toy\n  sources:\n"
        "    - {path: rna.tsv, format: matrix, modality: rna, cohort: BLCA, unit: tpm}\n"
        "    - {path: rppa.csv, format: matrix, modality: prot, cohort: BLCA, unit: log2_ratio}\n"
    )
    return folder


def test_init_makes_a_study_that_finds_its_files(upstream: Path, tmp_path: Path) -> None:
    study = tmp_path / "deep" / "study"
    create_study(study, upstream / "study.yaml")
    loaded = load_study(study / "params.yaml")
    assert [s.path.exists() for s in loaded.sources] == [True, True]
    assert loaded.cohorts == ("BLCA",)
    params = yaml.safe_load((study / "params.yaml").read_text())
    assert params["train"]["modalities"] == ["rna", "prot"]
    assert params["split"]["k"] == 5
    assert params["evaluate"]["survival"] == {"not_applicable": "no source brings follow-up"}
    assert (study / ".dvc").is_dir()
    stages = subprocess.run(
        [sys.executable, "-m", "dvc", "stage", "list"], cwd=study, capture_output=True, text=True, check=True
    ).stdout
    assert "build@BLCA" in stages


def test_init_refuses_a_folder_that_is_a_study(upstream: Path, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("mine: 1\n")
    with pytest.raises(UsageError, match=r"params\.yaml exists already"):
        create_study(tmp_path, upstream / "study.yaml")
    assert (tmp_path / "params.yaml").read_text() == "mine: 1\n"


def test_init_with_a_missing_file_makes_nothing(upstream: Path, tmp_path: Path) -> None:
    (upstream / "rna.tsv").unlink()
    with pytest.raises(StudyError, match=r"1 files that .* names are not there: .*rna\.tsv"):
        create_study(tmp_path / "study", upstream / "study.yaml")
    assert not (tmp_path / "study").exists()


def test_the_pair_with_the_most_shared_samples_in_one_unit_is_trained() -> None:
    ids = barcodes(100, 10)
    some = frozenset(sorted(ids)[:30])
    measured = [
        Measured("meth", "beta", {"AAA": ids}),
        Measured("rna", "tpm", {"AAA": some}),
        Measured("rna", "zscore", {"BBB": ids}),
        Measured("prot", "log2_ratio", {"AAA": frozenset(sorted(ids)[:40])}),
    ]
    train = defaults_for(measured, has_outcome=True).sections["train"]
    assert (train["modalities"], train["cohorts"]) == (["meth", "prot"], ["AAA"])


@pytest.mark.parametrize(("sites", "strategy"), [(10, "site_preserved_kfold"), (9, "grouped_kfold")])
def test_sites_are_kept_whole_where_there_are_twice_as_many_as_folds(sites: int, strategy: str) -> None:
    ids = barcodes(100, sites)
    measured = [Measured("rna", "tpm", {"AAA": ids}), Measured("prot", "log2_ratio", {"AAA": ids})]
    assert defaults_for(measured, has_outcome=True).sections["split"]["strategy"] == strategy


def test_few_patients_make_fewer_folds() -> None:
    ids = barcodes(30, 30)
    measured = [Measured("rna", "tpm", {"AAA": ids}), Measured("prot", "log2_ratio", {"AAA": ids})]
    assert defaults_for(measured, has_outcome=True).sections["split"]["k"] == 3


def test_a_single_modality_is_trained_alone() -> None:
    sections = defaults_for([Measured("rna", "tpm", {"AAA": barcodes(60, 12)})], has_outcome=True).sections
    assert sections["train"]["modalities"] == ["rna"]
    assert sections["evaluate"]["impute"] is None


def test_a_source_without_a_known_sample_is_named() -> None:
    measured = [Measured("rna", "tpm", {"AAA": barcodes(60, 12)}), Measured("meth", "beta", {"AAA": frozenset()})]
    reasons = defaults_for(measured, has_outcome=True).reasons["train"]
    assert reasons == [
        "No tumour or cell line was recognised in the sources of meth (beta); their build will say more."
    ]


def test_params_read_back_as_they_were_written() -> None:
    sections = {"split": {"name": "x", "cohorts": ["A"]}, "train": {"model": "aro"}}
    assert yaml.safe_load(params_text(sections, {"split": ["why"]})) == sections


def test_the_projects_own_pipeline_is_the_template_with_the_simulation_in_front() -> None:
    assert (ROOT / "dvc.yaml").read_text() == dvc_yaml(simulated=True)


@pytest.mark.real
def test_defaults_of_the_real_studies(real_data: Path, tmp_path: Path) -> None:
    ccle = create_study(tmp_path / "ccle", real_data / "studies" / "ccle.yaml").sections
    assert ccle["train"]["modalities"] == ["prot", "metab"]
    assert ccle["evaluate"]["impute"] == {"from": "prot", "to": "metab"}
    assert ccle["split"]["strategy"] == "grouped_kfold"
    assert "not_applicable" in ccle["evaluate"]["survival"]
    tcga = create_study(tmp_path / "tcga", real_data / "studies" / "tcga.yaml").sections
    assert (tcga["train"]["modalities"], tcga["train"]["cohorts"]) == (["rna", "prot"], ["BRCA", "LUSC"])


def test_free_form_ids_are_counted_on_the_axis_that_holds_them(tmp_path: Path) -> None:
    (tmp_path / "rna.csv").write_text("gene," + ",".join(f"P{i}" for i in range(30)) + "\nTP53" + ",1" * 30 + "\n")
    (tmp_path / "s.yaml").write_text(
        "study:\n  cohorts: [LAB]\n  samples: {from: id, sample_type: primary}\n  sources:\n"
        "    - {path: rna.csv, format: matrix, modality: rna, cohort: LAB, unit: tpm}\n"
    )
    (measured,) = measured_samples(load_study(tmp_path / "s.yaml"))
    assert len(measured.samples["LAB"]) == 30


def test_the_header_of_the_id_column_is_nobody(tmp_path: Path) -> None:
    (tmp_path / "rna.csv").write_text("x,P1,P2\nTP53,1,2\n")
    (tmp_path / "s.yaml").write_text(
        "study:\n  cohorts: [LAB]\n  samples: {from: id, sample_type: primary}\n  sources:\n"
        "    - {path: rna.csv, format: matrix, modality: rna, cohort: LAB, unit: tpm, orientation: features_in_rows}\n"
    )
    (measured,) = measured_samples(load_study(tmp_path / "s.yaml"))
    assert measured.samples["LAB"] == {"P1", "P2"}


def test_without_dvc_the_study_is_made_for_omicstore_build(
    upstream: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("omicstore.study.create.find_spec", lambda name: None)
    assert not create_study(tmp_path / "study", upstream / "study.yaml").pipeline
    assert (tmp_path / "study" / "params.yaml").is_file()
    assert not (tmp_path / "study" / ".dvc").exists()
