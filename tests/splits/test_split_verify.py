"""A split on disk: read again, and checked again after somebody meddled with it."""

from __future__ import annotations

import json
from dataclasses import replace

import polars as pl
import pytest
from split_catalogues import make_catalogue

from omicstore.errors import SplitError
from omicstore.files import canonical_json
from omicstore.splits import SplitSpec, load, read, split_catalogue
from omicstore.splits.manifest import Manifest
from omicstore.splits.verify import verify
from omicstore.store.splitfile import body_hash, frame_hash


@pytest.fixture
def catalogue():
    return make_catalogue(seed=3, links=1)


@pytest.fixture
def folder(catalogue, tmp_path):
    split_catalogue(catalogue, SplitSpec(strategy="grouped_kfold", endpoint="OS", k=4)).write(tmp_path / "default")
    return tmp_path / "default"


def failed(results) -> dict[str, str]:
    return {r.id: r.severity for r in results if r.status == "fail"}


def moved(manifest: Manifest, patient_samples: int = 1) -> pl.DataFrame:
    """Return the assignments with one training sample of a patient of several called a test sample."""
    rows = manifest.assignments
    several = (
        rows.filter((pl.col("fold") == 0) & (pl.col("part") == "train"))
        .group_by("patient_id")
        .len()
        .filter(pl.col("len") > 1)
    )
    patient = several["patient_id"].sort()[0]
    sample = rows.filter(pl.col("patient_id") == patient)["sample_id"].sort()[0]
    here = (pl.col("fold") == 0) & (pl.col("sample_id") == sample)
    return rows.with_columns(part=pl.when(here).then(pl.lit("test")).otherwise("part"))


def signed(manifest: Manifest, assignments: pl.DataFrame) -> Manifest:
    """Return a forgery: other rows, with every hash over the whole made to fit."""
    body = json.loads(json.dumps(manifest.body)) | {"assignments_hash": frame_hash(assignments)}
    return Manifest(body | {"manifest_hash": body_hash(body)}, assignments, manifest.edges)


def test_a_split_comes_back_as_it_was_written(catalogue, folder):
    again = load(folder)
    assert load(folder / "manifest.json").manifest_hash == again.manifest_hash
    made = split_catalogue(catalogue, SplitSpec(strategy="grouped_kfold", endpoint="OS", k=4))
    assert again.body == made.body
    assert again.assignments.equals(made.assignments)
    assert (folder / "manifest.json").read_bytes() == canonical_json(made.body)
    assert not failed(verify(again))
    assert not failed(verify(again, catalogue))


def test_writing_again_touches_no_file(catalogue, folder):
    before = {p.name: p.stat().st_mtime_ns for p in folder.iterdir()}
    load(folder).write(folder)
    assert {p.name: p.stat().st_mtime_ns for p in folder.iterdir()} == before
    assert set(before) == {"manifest.json", "assignments.parquet", "identity.parquet"}


def test_one_moved_sample_is_found_by_its_hash(folder):
    manifest = load(folder)
    moved(manifest).write_parquet(folder / "assignments.parquet")
    with pytest.raises(
        SplitError, match=r"changed after it was made: assignments\.parquet does not have its assignments_hash"
    ):
        load(folder)
    assert {"assignments", "people"} <= set(failed(verify(read(folder))))


def test_a_forger_who_mends_the_hashes_is_found_by_the_rows(catalogue, folder):
    forged = signed(load(folder), moved(load(folder)))
    found = failed(verify(forged))
    assert "manifest_hash" not in found
    assert {"assignments", "people"} <= set(found)
    assert {"L1", "L2"} <= set(failed(verify(forged, catalogue)))


def test_a_dropped_sample_opens_the_closed_world(catalogue, folder):
    manifest = load(folder)
    gone = manifest.assignments["sample_id"].sort()[0]
    forged = signed(manifest, manifest.assignments.filter(pl.col("sample_id") != gone))
    results = verify(forged, catalogue)
    closed = next(r for r in results if r.id == "closed_world")
    assert closed.evidence["offenders"] == [f"{gone} of AAA is in the store and in no part"]


def test_an_edited_manifest_is_found(folder):
    body = json.loads((folder / "manifest.json").read_bytes())
    body["checks"]["L3"]["status"] = "pass"
    (folder / "manifest.json").write_bytes(canonical_json(body))
    with pytest.raises(SplitError, match="does not have its manifest_hash"):
        load(folder)
    assert "manifest_hash" in failed(verify(read(folder)))


def test_a_link_that_is_found_later_fails_the_split(catalogue, folder):
    manifest = load(folder)
    train, test = manifest.part(0, "train")[0], manifest.part(0, "test")[0]
    owner = dict(catalogue.profiles.select("sample_id", "patient_id").iter_rows())
    aliases = pl.DataFrame({"patient_id": [owner[train]], "alias": [owner[test]]})
    found = failed(verify(manifest, replace(catalogue, aliases=aliases)))
    assert found["L7"] == "error"
    assert found["release"] == "error"


def test_a_new_release_is_a_warning_until_a_table_of_the_split_changes(catalogue, folder):
    manifest = load(folder)
    assert failed(verify(manifest, replace(catalogue, release="other"))) == {"release": "warning"}
    changed = catalogue.outcomes.with_columns(pl.col("time_days") + 1)
    assert failed(verify(manifest, replace(catalogue, outcomes=changed)))["release"] == "error"


def test_another_cohort_in_the_store_does_not_fail_a_split_that_names_its_own(tmp_path):
    spec = SplitSpec(strategy="grouped_kfold", cohorts=("AAA",))
    manifest = split_catalogue(make_catalogue(("AAA",)), spec)
    assert failed(verify(manifest, make_catalogue(("AAA", "BBB")))) == {}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("manifest.json", None, r"manifest\.json does not exist"),
        (
            "manifest.json",
            b'{"format": "omicstore.split/9"}',
            r"has the format 'omicstore\.split/9'\. Expected omicstore\.split/1",
        ),
        ("manifest.json", b"{", "cannot be read"),
        ("assignments.parquet", b"PAR1", "cannot be read"),
    ],
)
def test_a_broken_split_is_one_message(name, content, message, folder):
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(SplitError, match=message):
        load(folder)


def test_other_columns_are_no_assignments(folder):
    pl.DataFrame({"sample_id": ["a"]}).write_parquet(folder / "assignments.parquet")
    with pytest.raises(SplitError, match=r"assignments\.parquet has the columns sample_id\. Expected sample_id"):
        load(folder)
