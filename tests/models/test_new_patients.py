"""A trained model on files of patients that it has never seen."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from model_runs import edited, run_train
from numpy.typing import NDArray
from store_factory import make_cohort

import omicstore
from models.batch import MultiOmicsBatch
from models.checkpoint import load_checkpoint, read_sidecar
from models.files import write_json
from models.new import write as writing
from models.new.apply import embedding, imputation, prediction, samples_table
from models.new.calibration import load_calibration
from omicstore.audit import audit
from omicstore.cli import main
from omicstore.errors import LeakageError, OmicstoreError, UsageError
from omicstore.store.splitfile import body_hash


def run(*words: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["omicstore", *words])
        with pytest.raises(SystemExit) as left:
            main()
    return int(left.value.code or 0)


@pytest.fixture(autouse=True)
def at_home(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained)


@pytest.fixture(scope="module")
def people(trained: Path) -> tuple[list[str], list[str], NDArray[np.float32], pl.DataFrame]:
    """Ids, genes and TPM of the test part, and of the same people's proteins, as the store has them."""
    split = pl.read_parquet(trained / "splits/default/assignments.parquet")
    test = set(split.filter((pl.col("fold") == 0) & (pl.col("part") == "test"))["sample_id"])
    with omicstore.open(trained / "data/store") as store:
        cohort = store.query(modalities=["rna"])
        rows = [i for i, s in enumerate(cohort.samples["sample_id"]) if s in test]
        values = cohort.to_numpy()["rna"][rows]
        rows = [i for i, row in zip(rows, values, strict=True) if not np.isnan(row).all()]
        ids = [cohort.samples["sample_id"][i] for i in rows]
        genes = cohort.features("rna")["feature_id"].to_list()
        return ids, genes, cohort.to_numpy()["rna"][rows], split


def write(path: Path, ids: list[str], genes: list[str], values: NDArray[np.floating]) -> Path:
    cells = {s: [None if np.isnan(v) else float(v) for v in row] for s, row in zip(ids, values, strict=True)}
    pl.DataFrame({"gene_id": genes, **cells}).write_csv(path, separator="\t")
    return path


def as_file(path: Path, people: tuple, **changes: object) -> Path:
    """Write the people's RNA as a lab might: log2(TPM + 1), versioned ids, genes in any order."""
    ids, genes, tpm, _ = people
    order = np.random.default_rng(0).permutation(len(genes))
    named = [f"{genes[i]}.{i % 9 + 1}" for i in order]
    return write(path, ids, named, np.log2(tpm[:, order].astype(np.float64) + 1))


def test_a_file_gives_what_the_store_gives(people: tuple, tmp_path: Path) -> None:
    file = as_file(tmp_path / "rna.tsv", people)
    assert run("embed", str(file), "--modality", "rna", "--unit", "log2(tpm+1)", "--out", str(tmp_path / "a")) in (0, 3)
    assert run("embed", "--part", "test", "--from", "rna", "--out", str(tmp_path / "b")) in (0, 3)
    a, b = (pl.read_parquet(tmp_path / name / "embedding.parquet").sort("sample_id") for name in "ab")
    assert a["sample_id"].to_list() == b["sample_id"].to_list()
    np.testing.assert_allclose(a.drop("sample_id").to_numpy(), b.drop("sample_id").to_numpy(), atol=2e-3)
    log = Path("splits/default/test_reads.jsonl").read_text().splitlines()
    assert "omicstore use: aro" in log[-1]


def test_imputed_proteins_follow_the_truth_and_lie_in_their_intervals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make_cohort("CCC", seed=11, n_patients=150, modalities=("rna",), missing=0.0)
    rna = data.parts["rna"]
    primary = [i for i, s in enumerate(rna.rows["sample_id"]) if not s.endswith("-11")]
    tpm = rna.values[primary]
    ids = [f"lab {i}" for i in range(len(primary))]
    truth = np.nan_to_num(np.log1p(tpm), nan=3.0) + np.random.default_rng(5).normal(0, 0.3, tpm.shape)
    file = write(tmp_path / "new.tsv", ids, rna.features["feature_id"].to_list(), tpm)
    said = run("impute", str(file), "--modality", "rna", "--unit", "tpm", "--out", str(tmp_path / "o"), "--json")
    body = json.loads(capsys.readouterr().out)
    assert said in (0, 3)
    assert body["prot"]["unit"] == "log2_ratio"
    assert body["features"]["rna"] == {"known": 30, "expected": 30, "further": 0}
    assert body["samples"]["n"] == len(ids)
    assert body["samples"]["outside"] < 0.15 * len(ids)
    tables = {n: pl.read_parquet(tmp_path / f"o/prot{n}.parquet") for n in ("", ".low", ".high")}
    where = [ids.index(s) for s in tables[""]["sample_id"]]
    value, low, high = (t.drop("sample_id").to_numpy() for t in tables.values())
    assert ((low <= value) & (value <= high)).all()
    r = [np.corrcoef(value[:, j], truth[where, j])[0, 1] for j in range(truth.shape[1])]
    assert np.mean(r) > 0.3
    ends = pl.read_parquet(tmp_path / "o/prot.features.parquet")
    lowest, highest = ends["lowest"].to_numpy(), ends["highest"].to_numpy()
    held = ((truth[where] >= low) | (low <= lowest)) & ((truth[where] <= high) | (high >= highest))
    assert held.mean() == pytest.approx(0.93, abs=0.06)
    assert json.loads((tmp_path / "o/summary.json").read_text())["prot"] == body["prot"]


def test_absent_genes_are_counted_and_warned_of(
    people: tuple, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ids, genes, tpm, _ = people
    file = write(tmp_path / "some.tsv", ids, genes[8:], tpm[:, 8:])
    words = ["embed", str(file), "--modality", "rna", "--unit", "tpm", "--json"]
    assert run(*words, "--out", str(tmp_path / "o")) == 3
    out, err = capsys.readouterr()
    assert json.loads(out)["features"]["rna"] == {"known": 22, "expected": 30, "further": 0}
    assert "8 of the model's 30 features are absent and count as not observed" in err
    observed = pl.read_parquet(tmp_path / "o/samples.parquet")["rna_observed"]
    assert observed.max() <= 22
    assert run(*words, "--out", str(tmp_path / "p"), "--strict") == 1
    assert not (tmp_path / "p").exists()


def test_foreign_values_are_flagged(people: tuple, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids, genes, tpm, _ = people
    file = write(tmp_path / "counts.tsv", ids, genes, tpm * 1000)
    out = tmp_path / "o"
    assert run("impute", str(file), "--modality", "rna", "--unit", "tpm", "--out", str(out), "--format", "csv") == 3
    shown = capsys.readouterr()
    assert "lie outside the training data" in shown.err
    assert "outside" in shown.out
    samples = pl.read_csv(out / "samples.csv")
    assert (samples["outside"] == "rna").mean() > 0.9
    assert sorted(p.name for p in out.iterdir()) == [
        "prot.csv", "prot.features.csv", "prot.high.csv", "prot.low.csv", "samples.csv", "summary.json",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--modality", "rna", "--unit", "counts"], 1, "its unit is counts, and the model was trained on tpm"),
        (["--modality", "rna", "--unit", "fpkm"], 1, "its unit is fpkm and it has 27 genes"),
        (["--modality", "rna", "--unit", "beta"], 1, "modality rna with the unit beta"),
        (["--modality", "rna", "--unit", "tmp"], 2, "unknown unit 'tmp'"),
        (["--modality", "mirna", "--unit", "rpm"], 1, "it holds mirna, which the model does not read"),
        (["--samples-in", "lines"], 2, "unknown value of --samples-in 'lines'"),
        (["--part", "val"], 2, "more than one is named"),
        (["--modality", "rna", "--unit", "tpm", "--from", "prot"], 2, "no sample has prot"),
    ],
)
def test_wrong_words(
    people: tuple, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], code: int, message: str
) -> None:
    ids, genes, tpm, _ = people
    file = write(tmp_path / "rna.tsv", ids, genes, tpm)
    assert run("embed", str(file), *options, "--out", str(tmp_path / "o")) == code
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said
    assert not (tmp_path / "o").exists()


def test_wrong_files(people: tuple, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids, _, tpm, _ = people
    other = write(tmp_path / "other.tsv", ids, [f"ENSG{i:011d}" for i in range(900, 930)], tpm)
    assert run("embed", str(other), "--modality", "rna", "--unit", "tpm", "--out", str(tmp_path / "o")) == 1
    assert "none of its 30 features is one of the model's 30" in capsys.readouterr().err
    text = tmp_path / "notes.md"
    text.write_text("# Notes\n")
    assert run("embed", str(text), "--out", str(tmp_path / "o")) == 1
    assert "this is no matrix of measurements: a document" in capsys.readouterr().err
    symbols = write(tmp_path / "symbols.tsv", ids, [f"GENE{i}" for i in range(30)], tpm)
    assert (
        run("embed", str(symbols), "--modality", "rna", "--unit", "tpm", "--samples-in", "columns", "--out", "o") == 1
    )
    assert "symbols" in capsys.readouterr().err
    assert run("embed", "--out", str(tmp_path / "o")) == 2
    assert "none is named" in capsys.readouterr().err
    assert run("embed", "--part", "val") == 2
    assert "no folder is named" in capsys.readouterr().err


def test_nothing_is_half_written_or_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o"
    words = ["impute", "--part", "val", "--from", "rna", "--to", "prot"]
    assert run(*words, "--dry-run", "--out", str(out), "--json") in (0, 3)
    assert json.loads(capsys.readouterr().out)["would_write"] == str(out)
    assert list(tmp_path.iterdir()) == []
    with monkeypatch.context() as patch:
        patch.setattr(writing, "write_json", lambda *_: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(OSError, match="full"):
            writing.write_results(out, {"t": pl.DataFrame({"a": [1]})}, {}, "csv")
    assert list(tmp_path.iterdir()) == []
    (out).mkdir()
    (out / "mine.txt").write_text("mine")
    assert run(*words, "--out", str(out)) == 2
    assert [p.name for p in out.iterdir()] == ["mine.txt"]


def test_risk_comes_from_the_probe_that_was_kept(
    people: tuple, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = as_file(tmp_path / "rna.tsv", people)
    out = tmp_path / "o"
    assert run("predict", str(file), "--modality", "rna", "--unit", "log2(tpm+1)", "--out", str(out), "--json") in (
        0,
        3,
    )
    body = json.loads(capsys.readouterr().out)
    assert body["OS from rna"]["events_fit"] >= 15
    risk = pl.read_parquet(out / "risk.parquet")
    assert risk.filter(pl.col("endpoint") == "OS")["sample_id"].sort().to_list() == sorted(people[0])
    assert (risk["log_hazard_low"] <= risk["log_hazard"]).all()
    assert (risk["log_hazard"] <= risk["log_hazard_high"]).all()
    assert risk["percentile"].is_between(0, 100).all()


def test_a_model_without_head_or_probe_says_so_once(trained: Path) -> None:
    folder = trained / "artifacts/aro"
    checkpoint = load_checkpoint(folder)
    calibration = load_calibration(folder, checkpoint.sidecar)
    batch = MultiOmicsBatch.from_arrays({"rna": np.zeros((2, 30)), "prot": np.full((2, 30), np.nan)}, "ab", "ab")
    assert set(prediction(checkpoint, calibration, batch, heads={}).tables) == {"risk"}
    with pytest.raises(OmicstoreError, match="the model aro has no head, and no survival probe for what these samples"):
        prediction(checkpoint, replace(calibration, risks={}), batch, heads={})


def test_what_lies_in_an_absent_slot_changes_nothing(trained: Path) -> None:
    folder = trained / "artifacts/aro"
    checkpoint = load_checkpoint(folder)
    calibration = load_calibration(folder, checkpoint.sidecar)
    rng = np.random.default_rng(0)
    plain = MultiOmicsBatch.from_arrays(
        {"rna": rng.normal(size=(4, 30)), "prot": np.full((4, 30), np.nan)}, "abcd", "abcd"
    )
    filled = replace(plain, values={**plain.values, "prot": plain.values["prot"].nan_to_num(1e6)})
    for work in (
        lambda b: imputation(checkpoint, calibration, b).tables["prot.high"],
        lambda b: embedding(checkpoint, b).tables["embedding"],
        lambda b: samples_table(b, calibration)[0],
        lambda b: prediction(checkpoint, calibration, b, heads={}).tables["risk"],
    ):
        assert work(plain).equals(work(filled))


def test_an_interval_that_val_cannot_bear_is_open_and_said(trained: Path) -> None:
    folder = trained / "artifacts/aro"
    checkpoint = load_checkpoint(folder)
    calibration = load_calibration(folder, checkpoint.sidecar)
    batch = MultiOmicsBatch.from_arrays({"rna": np.zeros((2, 30)), "prot": np.full((2, 30), np.nan)}, "ab", "ab")
    found = imputation(checkpoint, replace(calibration, n_val={}), batch)
    assert "fewer than the 9 val samples" in found.warnings[0]
    ends = found.tables["prot.features"]
    assert found.tables["prot.low"].row(0)[1:] == tuple(ends["lowest"])
    assert found.summary["prot"]["open_above"] == 1.0
    with pytest.raises(UsageError, match=r"--level is 0\.5"):
        imputation(checkpoint, calibration, batch, level=0.5)


def test_the_calibration_is_of_train_and_val_alone_and_sealed(copied: Path) -> None:
    folder = copied / "artifacts/aro"
    sidecar = read_sidecar(folder)
    body = json.loads((folder / "calibration.json").read_text())
    assert body["fitted_on"] == {
        "part": "train",
        "n_samples": sidecar["n_train"],
        "row_hash": sidecar["row_hash"]["train"],
    }
    assert body["calibrated_on"] == {
        "part": "val",
        "n_samples": sidecar["n_val"],
        "row_hash": sidecar["row_hash"]["val"],
    }
    chain = {f.id: f for f in audit(folder).findings}
    assert chain["checkpoint"].status == "pass"
    arrays = (folder / "calibration.safetensors").read_bytes()
    (folder / "calibration.safetensors").write_bytes(arrays[:-1] + bytes([arrays[-1] ^ 1]))
    chain = {f.id: f for f in audit(folder).findings}
    assert chain["checkpoint"].status == "fail"
    assert "calibration.safetensors is absent, or does not have the arrays_sha256" in str(chain["checkpoint"].evidence)
    with pytest.raises(LeakageError, match=r"calibration\.safetensors is not there, or not the file"):
        load_calibration(folder, sidecar)
    write_json(folder / "calibration.json", body | {"levels": []})
    with pytest.raises(LeakageError, match=r"calibration\.json is not there, or not the file"):
        load_calibration(folder, sidecar)
    with pytest.raises(OmicstoreError, match="has no calibration: it was trained by an older omicstore"):
        load_calibration(folder, {k: v for k, v in sidecar.items() if k != "calibration"})


def test_calibrations_of_other_rows_are_refused(copied: Path) -> None:
    folder = copied / "artifacts/aro"
    sidecar = read_sidecar(folder)
    sidecar["row_hash"]["val"] = "0" * 64
    sidecar["sidecar_hash"] = body_hash(sidecar, "sidecar_hash")
    with pytest.raises(LeakageError, match="is calibrated on other rows than the model's val part"):
        load_calibration(folder, sidecar)


def test_a_model_folder_alone_is_enough(
    people: tuple, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(trained / "artifacts/aro", tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    file = as_file(tmp_path / "rna.tsv", people)
    words = ["embed", str(file), "--modality", "rna", "--unit", "log2(tpm+1)", "--model", "model"]
    assert run(*words, "--out", "o") in (0, 3)
    assert (tmp_path / "o/embedding.parquet").is_file()


def test_another_model_has_another_calibration(copied: Path) -> None:
    before = (copied / "artifacts/aro/calibration.safetensors").read_bytes()
    edited(copied, "train", seed=18, config={"hidden": 16, "max_epochs": 2})
    run_train(copied)
    assert (copied / "artifacts/aro/calibration.safetensors").read_bytes() != before


def test_samples_of_several_platforms_and_samples_that_come_twice(people: tuple, tmp_path: Path, trained: Path) -> None:
    from models.new.align import align
    from models.new.read import declared_study, read_matrices

    checkpoint = load_checkpoint(trained / "artifacts" / "aro")
    names = checkpoint.state.features("prot")
    halves = {"a": names[: len(names) // 2], "b": names[len(names) // 2 :]}
    rng = np.random.default_rng(0)
    for platform, half in halves.items():
        rows = {f"P{i}": rng.normal(size=len(half)) for i in range(6)}
        pl.DataFrame({"antibody": half, **rows}).write_csv(tmp_path / f"{platform}.csv")
    again = pl.read_csv(tmp_path / "a.csv").with_columns(pl.col("P0") + 1)
    again.select("antibody", "P0").write_csv(tmp_path / "again.csv")
    source = "{{path: {name}.csv, format: matrix, modality: prot, cohort: NEW, unit: log2_ratio, platform: {platform}}}"
    lines = [source.format(name=n, platform=p) for n, p in (("a", "a"), ("b", "b"), ("again", "a"))]
    (tmp_path / "study.yaml").write_text(
        "study:\n  dataset: new\n  cohorts: [NEW]\n  samples: {from: id, patient: id, cohort: NEW, sample_type: primary}\n"
        "  sources:\n" + "".join(f"    - {line}\n" for line in lines)
    )
    data = declared_study(tmp_path / "study.yaml", None)
    batch = align(read_matrices(data, {"prot": "log2_ratio"}), checkpoint.state, ["rna", "prot"]).batch
    assert list(batch.sample_id) == [f"P{i}" for i in range(6)]
    assert int(batch.target_mask("prot").sum(dim=1).min()) > 0.9 * len(names)
    assert data.warnings == ["prot: one profile is taken of each sample that comes more than once: P0"]
