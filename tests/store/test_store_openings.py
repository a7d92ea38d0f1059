"""The log of test reads is a chain: what was changed, taken out or put in between shows."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omicstore.store.openings import Opening, append_opening, read_openings

ENTRY = {"release": "r", "manifest_hash": "m", "fold": 0, "modalities": ["rna"], "n_samples": 3, "reader": "R"}


def links(content: bytes) -> list[int]:
    """Return the lines, counted from 1, that do not fit the line before them; as the format is described."""
    lines = content.split(b"\n")
    assert lines.pop() == b""
    broken, chained = [], False
    for i, line in enumerate(lines):
        try:
            said = json.loads(line).get("previous")
        except ValueError:
            continue
        if said is None:
            broken += [i + 1] if chained else []
            continue
        chained = True
        expected = hashlib.sha256(lines[i - 1]).hexdigest() if i else ""
        broken += [i + 1] if said != expected else []
    return broken


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "test_reads.jsonl"
    for n in range(5):
        append_opening(path, ENTRY | {"n_samples": n})
    return path


def test_each_line_has_the_hash_of_the_one_before(log: Path) -> None:
    lines = log.read_bytes().splitlines()
    assert [json.loads(line)["previous"] for line in lines] == [
        "",
        *(hashlib.sha256(line).hexdigest() for line in lines[:-1]),
    ]
    assert json.loads(lines[2]) == ENTRY | {"n_samples": 2, "previous": hashlib.sha256(lines[1]).hexdigest()}
    assert lines[0] == json.dumps(ENTRY | {"n_samples": 0, "previous": ""}, sort_keys=True).encode()
    assert links(log.read_bytes()) == []
    assert [line["n_samples"] for line in read_openings(log)] == [0, 1, 2, 3, 4]


@given(st.integers(0, 3), st.sampled_from(["change", "take out", "put between", "swap"]))
def test_what_was_done_to_a_line_shows_in_the_next(tmp_path_factory: pytest.TempPathFactory, at: int, how: str) -> None:
    path = tmp_path_factory.mktemp("log") / "test_reads.jsonl"
    for n in range(5):
        append_opening(path, ENTRY | {"n_samples": n})
    lines = path.read_bytes().splitlines()
    if how == "change":
        lines[at] = lines[at].replace(b'"reader": "R"', b'"reader": "S"')
    elif how == "take out":
        del lines[at]
    elif how == "put between":
        lines.insert(at + 1, lines[at])
    else:
        lines[at], lines[at + 1] = lines[at + 1], lines[at]
    changed = b"".join(line + b"\n" for line in lines)
    assert links(changed)
    # Whoever opens the part afterwards mends nothing.
    path.write_bytes(changed)
    append_opening(path, ENTRY)
    assert links(path.read_bytes())


def test_older_lines_are_a_first_stretch(tmp_path: Path) -> None:
    path = tmp_path / "test_reads.jsonl"
    old = b"".join(json.dumps(ENTRY | {"fold": fold}, sort_keys=True).encode() + b"\n" for fold in (0, 1))
    path.write_bytes(old)
    append_opening(path, ENTRY)
    lines = path.read_bytes().splitlines()
    assert path.read_bytes().startswith(old)
    assert json.loads(lines[2])["previous"] == hashlib.sha256(lines[1]).hexdigest()
    assert links(path.read_bytes()) == []


def test_a_line_that_was_not_finished_is_ended_and_kept_in_the_chain(log: Path) -> None:
    log.write_bytes(log.read_bytes()[:-20])
    torn = log.read_bytes().splitlines()[-1]
    append_opening(log, ENTRY)
    lines = log.read_bytes().splitlines()
    assert lines[4] == torn
    assert json.loads(lines[5])["previous"] == hashlib.sha256(torn).hexdigest()
    assert len(read_openings(log)) == 5
    assert links(log.read_bytes()) == []


def test_the_same_read_is_cited_by_the_same_line(log: Path) -> None:
    before = log.read_bytes().splitlines()
    assert append_opening(log, ENTRY | {"n_samples": 2}) == Opening(3, hashlib.sha256(before[2]).hexdigest())
    new = append_opening(log, ENTRY | {"n_samples": 9})
    lines = log.read_bytes().splitlines()
    assert len(lines) == 7
    assert new == Opening(7, hashlib.sha256(lines[6]).hexdigest())
    assert new.to_json() == {"line": 7, "hash": new.hash}


def test_several_processes_tear_no_line(tmp_path: Path) -> None:
    path = tmp_path / "test_reads.jsonl"
    code = (
        "import sys; from pathlib import Path; from omicstore.store.openings import append_opening\n"
        "for n in range(60): append_opening(Path(sys.argv[1]), {'reader': sys.argv[2] * 3000, 'n_samples': n})"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(path), name]) for name in "abc"]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    found = [(line["reader"][0], line["n_samples"]) for line in read_openings(path)]
    assert sorted(found) == [(name, n) for name in "abc" for n in range(60)]
    assert links(path.read_bytes()) == []


def test_no_log_is_no_line(tmp_path: Path) -> None:
    assert read_openings(tmp_path / "test_reads.jsonl") == []
