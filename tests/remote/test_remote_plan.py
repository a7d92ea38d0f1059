"""Which files a cohort and a modality need."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from omicstore.errors import UnknownNameError, UsageError
from omicstore.remote.plan import needed
from omicstore.store.layout import part_of, pull_command


@pytest.fixture
def body(tiny_store: Path) -> dict[str, Any]:
    return json.loads((tiny_store / "store.json").read_bytes())


def test_everything_is_what_store_json_names(body: dict[str, Any]) -> None:
    assert needed(body) == sorted(body["files"])


def test_one_cohort_and_modality_is_its_matrix_and_the_catalogue(body: dict[str, Any]) -> None:
    rna = body["matrices"]["AAA"]["rna"]
    assert needed(body, ["aaa"], ["RNA"]) == sorted(
        [*body["tables"].values(), body["samples"], rna["values"], rna["features"], body["index"]["rna"]["features"]]
    )


def test_the_index_comes_where_all_of_its_cohorts_do(body: dict[str, Any]) -> None:
    assert body["index"]["prot"]["path"] not in needed(body, ["AAA"], ["prot"])
    assert body["index"]["prot"]["path"] in needed(body, ["AAA", "BBB"], ["prot"]), "CCC has no prot"
    assert body["index"]["meth"]["path"] not in needed(body, None, ["prot"])


def test_cohorts_alone_bring_all_their_modalities(body: dict[str, Any]) -> None:
    found = {part_of(path) for path in needed(body, ["AAA"])} - {(None, None)}
    assert {modality for cohort, modality in found if cohort} == {"rna", "meth", "prot", "report"}
    assert {cohort for cohort, _ in found if cohort} == {"AAA"}


def test_parts_of_all_modalities_make_the_whole(body: dict[str, Any]) -> None:
    parts = [needed(body, None, [m]) for m in ("rna", "meth", "prot", "metab", "report")]
    assert {path for part in parts for path in part} == set(body["files"])


def test_every_file_of_a_part_is_brought_by_the_command_that_a_message_names(body: dict[str, Any]) -> None:
    for path in body["files"]:
        words = pull_command(path).split()
        options = dict(zip(words[2::2], words[3::2], strict=True))
        cohorts = [options["--cohort"]] if "--cohort" in options else None
        modalities = [options["--modalities"]] if "--modalities" in options else None
        assert path in needed(body, cohorts, modalities), path


@pytest.mark.parametrize(
    ("cohorts", "modalities", "error", "message"),
    [
        (["AAB"], None, UnknownNameError, "unknown cohort 'AAB'. Expected one of AAA"),
        (None, ["rnaa"], UnknownNameError, "unknown modality 'rnaa'. Expected one of rna"),
        (["CCC"], ["prot"], UsageError, "prot is not measured in CCC. Expected one of rna, metab"),
    ],
)
def test_unknown_names(body: dict[str, Any], cohorts: Any, modalities: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        needed(body, cohorts, modalities)
