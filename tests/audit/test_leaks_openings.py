"""L11: how often the test part was read, by a log that cannot be changed in silence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from audit_cases import Case, tiny_case
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omicstore.audit.leaks.openings import openings
from omicstore.files import canonical_json

if TYPE_CHECKING:
    from omicstore.audit.finding import Finding


def readers(model: str, *weights: str) -> list[dict[str, Any]]:
    return [{"reader": f"omicstore evaluate: {model}, weights {w * 12}"} for w in weights]


def judged(case: Case, lines: list[dict[str, Any]]) -> Finding:
    case.write()
    made = case.manifest()["manifest_hash"]
    case.log_reads([{"manifest_hash": made, **line} for line in lines])
    return openings(case.write())


def test_the_same_weights_may_read_again(tmp_path: Path) -> None:
    found = judged(tiny_case(tmp_path), readers("aro", *"aaaaaaaaaa"))
    assert found.status == "pass"
    assert found.evidence["reads_by_fold"]["0"] == {
        "lines": 10, "readers": 1, "by": ["omicstore evaluate: aro, weights aaaaaaaaaaaa"],
    }  # fmt: skip


def test_no_log_is_no_reading(tmp_path: Path) -> None:
    found = openings(tiny_case(tmp_path).write())
    assert (found.status, found.evidence["n_lines"]) == ("pass", 0)


def test_two_weights_of_one_model_are_two_tries(tmp_path: Path) -> None:
    found = judged(tiny_case(tmp_path), readers("aro", *"ab"))
    assert (found.severity, found.found) == ("warning", "the test part of fold 0 was read for 2 weights of aro")


def test_weights_of_different_models_are_borne_up_to_a_handful(tmp_path: Path) -> None:
    models = [line for i in range(5) for line in readers(f"model{i}", "abcde"[i])]
    assert judged(tiny_case(tmp_path / "few"), models).status == "pass"
    found = judged(tiny_case(tmp_path / "many"), models + readers("model6", "f"))
    assert found.found == "the test part of fold 0 was read 6 times by different readers"


def test_a_reader_without_weights_counts_each_time(tmp_path: Path) -> None:
    found = judged(tiny_case(tmp_path), [{"reader": "TransformState"}] * 6)
    assert found.found == "the test part of fold 0 was read 6 times by different readers"


def test_reads_of_another_split_do_not_count(tmp_path: Path) -> None:
    lines = [{"manifest_hash": "f" * 64, **line} for line in readers("aro", *"abcdef")]
    found = judged(tiny_case(tmp_path), lines)
    assert (found.status, found.evidence["n_lines_of_other_splits"]) == ("pass", 6)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_line_changed_or_taken_out_before_the_last_breaks_the_chain(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    case = tiny_case(tmp_path_factory.mktemp("case"), cohorts=("AAA",), n_patients=12)
    n = data.draw(st.integers(2, 6))
    assert judged(case, readers("aro", *"a" * n)).status == "pass"
    path = case.split / "test_reads.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    at = data.draw(st.integers(0, n - 2))
    how = data.draw(st.sampled_from(["changed", "taken out", "put in"]))
    if how == "changed":
        lines[at] = lines[at].replace(b'"n_samples": 9', b'"n_samples": 8')
    elif how == "taken out":
        del lines[at]
    else:
        lines.insert(at, lines[at])
    path.write_bytes(b"".join(lines))
    found = openings(case.write())
    assert (found.status, found.severity) == ("fail", "error")
    assert "a line was changed, taken out or put in" in found.found


def test_older_lines_without_hashes_may_only_come_first(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    assert judged(case, readers("aro", *"aaa")).status == "pass"
    path = case.split / "test_reads.jsonl"
    chained = path.read_text(encoding="utf-8")
    old = json.loads(chained.splitlines()[0])
    del old["previous"]
    path.write_text(json.dumps(old) + "\n" + json.dumps(old) + "\n", encoding="utf-8")
    found = openings(case.write())
    assert (found.status, found.evidence["n_lines_without_hash"]) == ("pass", 2)
    path.write_text(chained + json.dumps(old) + "\n", encoding="utf-8")
    assert "line 4 has no hash of the line before it" in openings(case.write()).found


@pytest.mark.parametrize("content", [b"\xff\xfe\n", b"[1]\n", b"{\n"])
def test_a_line_that_is_no_json_is_named(tmp_path: Path, content: bytes) -> None:
    case = tiny_case(tmp_path)
    case.write()
    (case.split / "test_reads.jsonl").write_bytes(content)
    found = openings(case.write())
    assert found.found.endswith("test_reads.jsonl: line 1 is no JSON object")


def report(case: Case, **test: Any) -> None:
    body = {
        "trained": {
            "model": "tiny",
            "split": {"name": "default", "fold": 0, "manifest_hash": case.manifest()["manifest_hash"]},
        },
        "test": test,
    }
    (case.study / "reports").mkdir(exist_ok=True)
    (case.study / "reports" / "evaluation.json").write_bytes(canonical_json(body))


def test_an_evaluation_that_no_line_speaks_of_is_an_error(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    bundle = case.write_model()
    report(case)
    weights = bundle.sidecar["weights"]["sha256"]
    told = f"reports/evaluation.json judges tiny with weights {weights[:12]} on the test part of fold 0"
    found = openings(bundle)
    assert (found.severity, found.found) == ("error", f"{told}, and no such read is logged")
    made = case.manifest()["manifest_hash"]
    case.log_reads([{"manifest_hash": made, "reader": f"omicstore evaluate: tiny, weights {weights[:12]}"}])
    assert openings(bundle).status == "pass"
    report(case, opening={"line": 1, "hash": "0" * 64})
    bundle.__dict__.pop("reported")
    assert "cites line 1 of the log by its hash, and there is no such line" in openings(bundle).found
