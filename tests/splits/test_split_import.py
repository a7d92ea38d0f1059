"""The val that is cut from published folds is like their train in outcome or label."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from split_catalogues import make_catalogue, shuffled

from omicstore.cli import main
from omicstore.errors import SplitError, UnknownNameError
from omicstore.splits import SplitSpec, import_folds, read_published

quick = settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def folds_of(patients: list[str], folder, k: int = 4):
    folder.mkdir(exist_ok=True)
    for fold in range(k):
        val = patients[fold::k]
        train = [p for p in patients if p not in val]
        lines = [f"{t},{val[i] if i < len(val) else ''}" for i, t in enumerate(train)]
        (folder / f"splits_{fold}.csv").write_text("\n".join(["train,val", *lines]))
    return read_published(folder)[0]


def people(catalogue):
    return catalogue.patients["patient_id"].unique().sort().to_list()


def share(rows, column):
    held = rows.unique(["cohort", "patient_id"])[column].drop_nulls()
    return held.cast(pl.Float64).mean()


@quick
@given(seed=st.integers(0, 2**32 - 1))
def test_val_has_the_events_of_train_and_the_order_of_rows_has_no_say(seed, tmp_path):
    catalogue = make_catalogue(seed=seed, n_patients=120, n_sites=12)
    folds = folds_of(people(catalogue), tmp_path / "cv")
    split = import_folds(catalogue, folds, "x")
    assert split.body["strategy"]["val_balanced_on"] == "OS: event and 2 time bins"
    assert "balanced on OS" in split.body["partitions"]["val"]
    for entry in split.body["per_fold"]:
        train, val = entry["parts"]["train"], entry["parts"]["val"]
        of_train, of_val = (part["n_events"] / part["n_with_outcome"] for part in (train, val))
        assert abs(of_train - of_val) < 0.1  # where a draw of 22 patients has a standard deviation of 0.1
        assert abs(train["n_patients"] / val["n_patients"] - 2.0) < 0.35
    assert import_folds(shuffled(catalogue, 1), folds, "x").body == split.body


def test_it_can_be_another_endpoint_or_a_label_and_without_any_it_is_cut_by_size(tmp_path):
    catalogue = make_catalogue(seed=1, n_patients=120)
    other = catalogue.outcomes.with_columns(endpoint=pl.lit("DSS"), event=1 - pl.col("event"))
    catalogue = replace(catalogue, outcomes=pl.concat([catalogue.outcomes, other]))
    folds = folds_of(people(catalogue), tmp_path / "cv")
    by_death = import_folds(catalogue, folds, "x", SplitSpec(endpoint="DSS"))
    assert by_death.body["strategy"]["val_balanced_on"] == "DSS: event and 2 time bins"
    assert by_death.body["cohort"]["outcome"]["name"] == "DSS"
    by_label = import_folds(catalogue, folds, "x", SplitSpec(label="subtype"))
    assert by_label.body["strategy"]["val_balanced_on"] == "subtype: label"
    for entry in by_label.body["per_fold"]:
        shares = [
            p["labels"]["A"] / sum(p["labels"].values()) for p in (entry["parts"]["train"], entry["parts"]["val"])
        ]
        assert abs(shares[0] - shares[1]) < 0.05
    with pytest.raises(UnknownNameError, match="Expected one of"):
        import_folds(catalogue, folds, "x", SplitSpec(endpoint="DDS"))
    blank = replace(catalogue, outcomes=pl.DataFrame())
    split = import_folds(blank, folds, "x")
    assert split.body["strategy"]["val_balanced_on"] is None
    assert split.body["cohort"]["outcome"] is None


def test_an_endpoint_that_nobody_asked_for_refuses_no_folds(tmp_path):
    catalogue = make_catalogue(seed=4, n_patients=60)
    held = people(catalogue)
    folds = folds_of(held, tmp_path / "cv")
    tested = held[0::4]
    alive = pl.when(pl.col("patient_id").is_in(tested)).then(0).otherwise("event")
    quiet = replace(catalogue, outcomes=catalogue.outcomes.with_columns(event=alive))
    assert import_folds(quiet, folds, "x").body["strategy"]["val_balanced_on"] is None
    with pytest.raises(SplitError, match="no OS event among 15 patients in its test part") as refused:
        import_folds(quiet, folds, "x", SplitSpec(endpoint="OS"))
    assert "--endpoint" in refused.value.run


@pytest.mark.real
@pytest.mark.parametrize(("cohort", "n"), [("blca", 359), ("brca", 871), ("coadread", 298)])
def test_the_survpath_folds_become_splits_of_their_patients(real_data, cohort, n, tmp_path):
    """By the outcomes of Liu 2018, one made-up profile for each patient."""
    from omicstore.splits import Catalogue

    cdr = pl.read_csv(real_data / "tcga" / "TCGA-CDR.csv.gz", infer_schema=False)
    folds = read_published(real_data / "splits" / "survpath" / cohort, "survpath")[0]
    own = cdr.filter(pl.col("bcr_patient_barcode").is_in(list(folds.patients))).select(
        patient_id="bcr_patient_barcode", cohort=pl.lit(cohort.upper()), site=pl.col("bcr_patient_barcode").str.slice(5, 2),
        sample_id=pl.col("bcr_patient_barcode") + "-01", profile_id=pl.col("bcr_patient_barcode") + "-01",
        modality=pl.lit("rna"), sample_type=pl.lit("primary"), endpoint=pl.lit("OS"),
        event=pl.col("OS").cast(pl.Float64, strict=False), time_days=pl.col("OS.time").cast(pl.Float64, strict=False),
    )  # fmt: skip
    split = import_folds(Catalogue(profiles=own, patients=own, outcomes=own), folds, "survpath")
    assert split.body["strategy"]["n_in_store"] == n
    assert split.body["strategy"]["val_balanced_on"] == "OS: event and 2 time bins"
    assert split.body["checks"]["L3"]["status"] == "pass"
    for fold, entry in enumerate(split.body["per_fold"]):
        theirs = folds.rows.filter((pl.col("fold") == fold) & (pl.col("part") == "test"))
        assert set(split.part(fold, "test")) == {f"{p}-01" for p in theirs["patient_id"]}
        assert entry["parts"]["val"]["n_events"] > 0


def test_the_command_says_what_is_wrong_and_takes_what_the_study_knows(tiny_store, tmp_path, monkeypatch, capsys):
    import json
    import shutil

    from omicstore.splits import load

    shutil.copytree(tiny_store, tmp_path / "data" / "store")
    (tmp_path / "params.yaml").write_text("split: {strategy: grouped_kfold, waive: {L3: known}, endpoint: PFI}\n")
    monkeypatch.chdir(tmp_path)
    patients = pl.read_parquet(next((tmp_path / "data/store/catalog").glob("patients-*.parquet")))
    folds_of(patients.filter(pl.col("cohort") == "AAA")["patient_id"].sort().to_list(), tmp_path / "cv", 3)

    def call(*words):
        monkeypatch.setattr("sys.argv", ["omicstore", "split", "import", "cv", "--from", "survpath", *words])
        with pytest.raises(SystemExit) as stopped:
            main()
        said = capsys.readouterr()
        return stopped.value.code, said.out, said.err

    code, text, _ = call("--json", "--nested", "3", "--name", "theirs", "--endpoint", "os")
    assert code == 0
    body = json.loads(text)
    assert body["strategy"]["val_balanced_on"] == "OS: event and 2 time bins"
    assert body["checks"]["L3"]["status"] in ("waived", "not_applicable", "pass")
    assert body["inner"] == [f"theirs/inner/{fold}" for fold in range(3)]
    assert load(tmp_path / "splits/theirs/inner/2").body["params"]["waive"] == {"L3": "known"}
    code, _, said = call("--endpoint", "OS", "--label", "x")
    assert code == 1
    assert "the endpoint OS and the label x" in said
