"""A release keeps its name, its content and its files; a retraction is said wherever it matters."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from store_factory import make_cohort
from typer.testing import CliRunner

import omicstore
from omicstore.cli import app
from omicstore.errors import StoreError, UnknownNameError, UsageError
from omicstore.files import canonical_json
from omicstore.releases import history, release, restore, retract
from omicstore.splits import SplitSpec, make
from omicstore.splits.catalogue import Catalogue
from omicstore.splits.verify import verify
from omicstore.store.filesystem import open_root
from omicstore.store.writer import assemble

TESTS = Path(__file__).resolve().parent.parent
RUN = CliRunner(env={"COLUMNS": "120", "NO_COLOR": "1"})
DATE = "2026-11-21T00:00:00Z"


def build(root: Path, seed: int, cohorts: tuple[str, ...] = ("AAA",)) -> str:
    for cohort in cohorts:
        make_cohort(cohort, seed=seed, n_patients=8).write(root, cohort)
    return assemble(root, list(cohorts), dataset="tiny", simulated=True)


def freeze(root: Path, name: str, **more) -> object:
    with omicstore.open(root) as store:
        return release(store, name, date=DATE, **more)


def gone(root: Path, what: str, **more) -> object:
    with omicstore.open(root) as store:
        return retract(store, what, date=DATE, **{"reason": "wrong", **more})


def numbers(root: Path, name: str | None = None) -> dict[str, bytes]:
    with omicstore.open(root, release=name) as store:
        return {m: v.tobytes() for m, v in store.query(sample_type="all").to_numpy().items()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store in a study."""
    (tmp_path / "params.yaml").write_text("study: {}\n")
    folder = tmp_path / "data" / "store"
    build(folder, 0)
    return folder


class TestFreezing:
    def test_an_older_release_reads_as_it_was(self, root: Path) -> None:
        first = freeze(root, "v1").named.release
        then = numbers(root)
        for seed in (1, 2, 3):  # each build sweeps what nobody needs
            build(root, seed)
        assert numbers(root, "v1") == numbers(root, first) == numbers(root, first[:6]) == then != numbers(root)

    def test_what_is_not_released_is_swept(self, root: Path) -> None:
        build(root, 1)
        unreleased = set(json.loads((root / "store.json").read_bytes())["files"])
        build(root, 2)
        build(root, 3)
        build(root, 3)
        assert not [path for path in unreleased if "/values-" in path and (root / path).exists()]

    def test_the_same_again_is_nothing_new(self, root: Path) -> None:
        assert freeze(root, "v1", notes="one").new
        before = {p: p.read_bytes() for p in (root.parents[1] / "releases").iterdir()}
        again = freeze(root, "v1", notes="two")
        assert not again.new
        assert again.named.notes == "one"
        assert {p: p.read_bytes() for p in (root.parents[1] / "releases").iterdir()} == before

    def test_a_name_never_moves(self, root: Path) -> None:
        freeze(root, "v1")
        build(root, 1)
        with pytest.raises(UsageError, match="the name v1 is taken by release"):
            freeze(root, "V1")

    @pytest.mark.parametrize(
        "name", ["latest", "stable", "current", "", "a/b", "../x", ".v1", "a b", "f" * 64, "x" * 65]
    )
    def test_what_cannot_be_a_name(self, root: Path, name: str) -> None:
        with pytest.raises(UsageError):
            freeze(root, name)
        assert not (root.parents[1] / "releases").exists()

    def test_two_names_for_one_release(self, root: Path) -> None:
        assert freeze(root, "v1").named.release == freeze(root, "2026-11").named.release
        found = history(open_root(root))
        assert [r["name"] for r in found["releases"]] == ["2026-11", "v1"]
        assert len(list((root / "releases").glob("*.json"))) == 1

    def test_a_store_with_a_hole_is_not_frozen(self, root: Path) -> None:
        next(root.glob("cohort=AAA/modality=rna/values-*")).unlink()
        with pytest.raises(StoreError, match="lacks cohort=AAA/modality=rna/values"):
            freeze(root, "v1")

    def test_dry_run_writes_nothing(self, root: Path) -> None:
        assert freeze(root, "v1", dry_run=True).new
        assert not (root.parents[1] / "releases").exists()
        assert not (root / "releases").exists()

    def test_the_date_enters_no_entry(self, root: Path) -> None:
        freeze(root, "v1")
        entry = next((root.parents[1] / "releases").glob("*.json")).read_bytes()
        assert DATE.encode() not in entry
        assert canonical_json(json.loads(entry)) == entry

    def test_a_store_without_a_study_keeps_its_own(self, tmp_path: Path) -> None:
        build(tmp_path / "st", 0)
        freeze(tmp_path / "st", "v1")
        assert max(p.name for p in (tmp_path / "st" / "releases").iterdir()) == "log.jsonl"
        assert not (tmp_path / "releases").exists()
        assert numbers(tmp_path / "st", "v1") == numbers(tmp_path / "st")

    def test_either_copy_is_enough(self, root: Path) -> None:
        freeze(root, "v1")
        then = numbers(root)
        for lost in (root / "releases", root.parents[1] / "releases"):
            for path in lost.iterdir():
                path.unlink()
            lost.rmdir()
            build(root, 1)
            build(root, 2)
            assert numbers(root, "v1") == then
            freeze(root, f"after-{len(list(root.parents))}-{lost.parent.name}")  # brings both up to date
            assert numbers(root, "v1") == then
            assert (lost / "log.jsonl").read_bytes().startswith(b'{"date"')


class TestFinding:
    def test_aliases_say_what_they_are(self, root: Path, caplog: pytest.LogCaptureFixture) -> None:
        freeze(root, "v1")
        second = build(root, 1)
        freeze(root, "v2")
        gone(root, "v2", replaced_by="v1")
        with omicstore.open(root, release="latest") as store:
            assert store.release == second
        with omicstore.open(root, release="stable") as store:
            assert store.release != second
        assert [r.getMessage().split(" (")[0] for r in caplog.records] == ["latest is v2", "stable is v1"]

    def test_no_release_is_stable_where_all_are_retracted(self, root: Path) -> None:
        freeze(root, "v1")
        gone(root, "v1")
        with pytest.raises(UsageError, match="every release is retracted, so none is 'stable'"):
            omicstore.open(root, release="stable")

    def test_a_mistyped_name_gets_the_nearest(self, root: Path) -> None:
        freeze(root, "2026-11")
        with pytest.raises(UnknownNameError, match="one of 2026-11"):
            omicstore.open(root, release="2026-12")

    def test_nothing_released_yet(self, root: Path) -> None:
        with pytest.raises(UsageError, match="nothing has been released here"):
            omicstore.open(root, release="v1")

    def test_an_entry_that_was_touched_is_refused(self, root: Path) -> None:
        freeze(root, "v1")
        for folder in (root, root.parents[1]):
            path = next((folder / "releases").glob("*.json"))
            entry = json.loads(path.read_bytes())
            entry["store"]["matrices"]["AAA"]["rna"]["hash"] = "0" * 64
            path.write_bytes(canonical_json(entry))
        with pytest.raises(StoreError, match="does not give its release id"):
            omicstore.open(root, release="v1")
        with pytest.raises(StoreError, match="does not give its release id"):
            build(root, 1)  # what it needs is unknown, so nothing is swept

    def test_a_log_with_the_marks_of_a_merge_is_named(self, root: Path) -> None:
        freeze(root, "v1")
        log = root.parents[1] / "releases" / "log.jsonl"
        log.write_bytes(b"<<<<<<< HEAD\n" + log.read_bytes())
        with pytest.raises(StoreError, match=r"log.jsonl of .*, line 1, is not what omicstore writes"):
            omicstore.open(root, release="v1")


class TestRetracting:
    def test_a_release(self, root: Path) -> None:
        freeze(root, "v1")
        freeze(root, "v1-again")
        build(root, 1)
        freeze(root, "v2")
        assert gone(root, "v1", replaced_by="v2", reason="log2.")[1]
        assert not gone(root, "v1", replaced_by="v2", reason="log2.")[1]
        said = "release v1 is retracted: log2; use v2 instead"
        with omicstore.open(root, release="v1-again") as store:
            assert said in store.query().warnings
        with omicstore.open(root) as store:
            assert not [w for w in store.query().warnings if "retracted" in w]

    def test_a_patient_where_it_is_found(self, root: Path) -> None:
        build(root, 0, ("AAA", "BBB"))
        before = numbers(root)
        with omicstore.open(root) as store:
            patient = store.query("AAA").samples["patient_id"][0]
        gone(root, patient.lower(), reason="consent withdrawn")
        said = f"patient {patient} is retracted: consent withdrawn"
        with omicstore.open(root) as store:
            assert said in store.query("AAA").warnings
            assert said not in store.query("BBB").warnings
            assert [r.sentence for r in store.retracted()] == [said]
        assert numbers(root) == before

    def test_a_patient_of_an_older_release(self, root: Path) -> None:
        with omicstore.open(root) as store:
            patient = store.samples()["patient_id"][0]
        freeze(root, "v1")
        build(root, 0, ("BBB",))
        gone(root, patient)
        with omicstore.open(root, release="v1") as store:
            assert [r.what for r in store.retracted()] == [patient]
        with omicstore.open(root) as store:
            assert store.retracted() == []

    def test_taken_back_and_said_again(self, root: Path) -> None:
        freeze(root, "v1")
        with omicstore.open(root) as store:
            patient = store.samples()["patient_id"][0]
        gone(root, "v1", reason="log2")
        gone(root, patient, reason="consent withdrawn")
        with omicstore.open(root) as store:
            back = restore(store, patient.lower(), reason="consent renewed", date=DATE)
        assert (back.kind, back.what, back.reason) == ("patient", patient, "consent withdrawn")
        with omicstore.open(root) as store:
            assert [r.what for r in store.retracted()] == [store.release]
            with pytest.raises(
                UsageError, match=rf"{patient} is not retracted. Expected one of v1. To mend it: omicstore log"
            ):
                restore(store, patient, reason="again", date=DATE)
            with pytest.raises(UsageError, match="without a reason"):
                restore(store, "v1", reason=" ", date=DATE)
            assert restore(store, "v1", reason="it was fine", date=DATE, dry_run=True).what == store.release
        assert gone(root, patient, reason="withdrawn again")[1]
        with omicstore.open(root) as store:
            assert {r.reason for r in store.retracted()} == {"log2", "withdrawn again"}
        events = [json.loads(line)["event"] for line in (root / "releases" / "log.jsonl").read_text().splitlines()]
        assert events == ["release", "retract", "retract", "restore", "retract"]

    @pytest.mark.parametrize(
        ("what", "more", "found"),
        [
            ("v1", {"reason": " "}, "without a reason"),
            ("v1", {"replaced_by": "v1"}, "cannot replace itself"),
            ("current", {}, "current is no release"),
            ("SIMU-A1-AA0", {}, "unknown release or patient 'SIMU-A1-AA0'. Expected one of SIMU-A1-AA0"),
            ("v3", {}, "unknown release or patient 'v3'. Expected one of v1"),
        ],
    )  # fmt: skip
    def test_mistakes(self, root: Path, what: str, more: dict[str, str], found: str) -> None:
        freeze(root, "v1")
        with pytest.raises(UsageError, match=found):
            gone(root, what, **more)

    def test_a_split_made_later_has_it_and_one_made_before_says_it(self, root: Path) -> None:
        make_cohort("AAA", n_patients=40).write(root, "AAA")
        assemble(root, ["AAA"], dataset="tiny", simulated=True)
        spec = SplitSpec(name="cv", k=3, strategy="grouped_kfold", endpoint="OS")
        with omicstore.open(root) as store:
            before = make(store, spec)
            patient = store.samples()["patient_id"][0]
        assert before.body["release"]["retractions"] == []
        gone(root, patient)
        with omicstore.open(root) as store:
            assert [r["patient"] for r in make(store, spec).body["release"]["retractions"]] == [patient]
            check = next(r for r in verify(before, Catalogue.of(store)) if r.id == "retractions")
        assert (check.status, check.severity) == ("fail", "warning")
        assert f"patient {patient} is retracted: wrong" in check.sentence


class TestCommands:
    def run(self, root: Path, *words: str, rc: int = 0) -> tuple[str, str]:
        done = RUN.invoke(app, [*words, "--store", str(root)], prog_name="omicstore")
        assert done.exit_code == rc, done.output
        return done.stdout, done.stderr

    def test_from_release_to_retraction(self, root: Path) -> None:
        body = json.loads(self.run(root, "release", "v1", "--notes", "the first", "--json")[0])
        assert body["new"]
        assert body["written"]
        assert all(Path(path).is_file() for path in body["files"])
        assert "nothing to do" in self.run(root, "release", "v1")[0]
        build(root, 1)
        out = self.run(root, "log")[0]
        assert f"v1  {body['release'][:12]}" in out
        assert "the first" in out
        assert "is not released: omicstore diff latest current" in out
        assert body["release"] in self.run(root, "info", "--release", "v1", "--json")[0]
        self.run(root, "retract", "v1", "--reason", "wrong")
        assert "warning: release v1 is retracted: wrong" in self.run(root, "info", "--release", "v1", rc=3)[1]
        found = json.loads(self.run(root, "query", "--release", "v1", "--json", rc=3)[0])
        assert "release v1 is retracted: wrong" in found["warnings"]
        assert "retracted on 20" in self.run(root, "log")[0]
        self.run(root, "info")
        self.run(root, "retract", "v1", "--undo", "--replaced-by", "v1", "--reason", "fine", rc=2)
        said = self.run(root, "retract", "v1", "--undo", "--reason", "it was fine")[0]
        assert said == "release v1 is no longer retracted: it was fine\n"
        self.run(root, "info", "--release", "v1")

    def test_ids_of_an_older_release(self, root: Path) -> None:
        with omicstore.open(root) as store:
            patient = min(set(store.query("AAA").samples["patient_id"]))
        self.run(root, "release", "v1")
        build(root, 0, ("BBB",))
        self.run(root, "ids", patient, rc=1)
        assert f"patient {patient} of cohort AAA" in self.run(root, "ids", patient, "--release", "v1")[0]

    def test_the_log_of_a_clone_without_data(self, root: Path, tmp_path: Path) -> None:
        freeze(root, "v1")
        for path in sorted((tmp_path / "data").rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        assert self.run(root, "log")[0].startswith("v1  ")

    def test_how_a_patient_is_taken_out(self, root: Path) -> None:
        with omicstore.open(root) as store:
            patient = store.samples()["patient_id"][0]
        assert f"omicstore ids {patient}" in self.run(root, "retract", patient, "--reason", "consent withdrawn")[1]

    def test_the_same_content(self, root: Path) -> None:
        self.run(root, "release", "v1")
        assert "the same content" in self.run(root, "diff", "v1")[0]
        self.run(root, "diff", "v1", "nosuch", rc=2)


def test_a_killed_release_leaves_nothing_half_written(root: Path) -> None:
    code = textwrap.dedent(
        f"""
        import sys; sys.path.insert(0, {str(TESTS)!r})
        import omicstore
        from omicstore.releases import release
        print("go", flush=True)
        for i in range(10_000):
            with omicstore.open({str(root)!r}) as store:
                release(store, f"v{{i}}", date="now")
        """
    )
    rng = random.Random(7)
    for _ in range(4):
        for folder in (root, root.parents[1]):
            for path in (folder / "releases").glob("*"):
                path.unlink()
        with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, env=os.environ) as process:
            process.stdout.readline()
            time.sleep(rng.uniform(0.0, 0.15))
            process.send_signal(signal.SIGKILL)
        found = history(open_root(root))["releases"]
        assert [r["name"] for r in found] == [f"v{i}" for i in reversed(range(len(found)))]
        again = freeze(root, f"v{len(found)}")
        assert again.new
        assert numbers(root, again.named.name) == numbers(root)
        for folder in (root, root.parents[1]):
            assert not list((folder / "releases").glob(".tmp-*"))
        assert (root / "releases/log.jsonl").read_bytes() == (root.parents[1] / "releases/log.jsonl").read_bytes()
