"""The report and the command: deterministic, offline, whole or not at all."""

from __future__ import annotations

import copy
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny_study import report_of
from typer.testing import CliRunner

import omicstore.cli as cli
from omicstore.files import canonical_json
from validation import report
from validation.report import render, write_report
from validation.results import rounded

RUN = CliRunner()


def spoil(body: dict[str, Any], check_id: str, cohort: str, offender: dict[str, Any]) -> dict[str, Any]:
    """Return a report in which a check fails in a cohort."""
    body = copy.deepcopy(body)
    (entry,) = [c for c in body["checks"] if c["id"] == check_id]
    entry |= {"status": entry["severity"], "failed": 1}
    entry["cohorts"][cohort] |= {"status": entry["severity"], "failed": 1, "offenders": [offender]}
    body["n_checks"][entry["severity"]] += 1
    body["n_checks"]["pass"] -= 1
    body["passed"] = body["passed"] and entry["severity"] != "error"
    return body


BETA = {"modality": "meth", "feature_id": "cg<b>7</b>", "n_outside": 1, "min": 0.1, "max": 1.7}
ZERO = {"patient_id": "SIMU-A1-BR00", "endpoint": "OS", "time_days": 0.0, "event": 0, "source": "cdr"}


class TestReport:
    def test_same_store_gives_same_bytes(self, clean_store: Path, clean: dict[str, Any], tmp_path: Path) -> None:
        shutil.copytree(clean_store.parent.parent, tmp_path / "elsewhere")
        again = report_of(tmp_path / "elsewhere" / "data" / "store")
        assert canonical_json(again) == canonical_json(clean)
        assert render(again) == render(clean)

    def test_holds_no_path_of_this_machine(self, clean: dict[str, Any], clean_store: Path) -> None:
        assert str(clean_store.parent) not in json.dumps(clean) + render(clean)

    def test_files(self, clean: dict[str, Any], tmp_path: Path) -> None:
        json_path, html_path = write_report(clean, tmp_path / "new" / "reports")
        assert json.loads(json_path.read_bytes()) == clean
        assert html_path.read_text(encoding="utf-8") == render(clean)

    def test_page_needs_no_network(self, clean: dict[str, Any]) -> None:
        page = render(spoil(clean, "beta-in-range", "BRCA", BETA))
        assert not re.findall(r"https?:|//[a-z]|\bsrc\s*=|@import|url\(|<link|<iframe", page)
        assert set(re.findall(r'href="([^"]*)"', page)) == {"#beta-in-range"}

    def test_page_says_it_all(self, clean: dict[str, Any]) -> None:
        page = render(spoil(spoil(clean, "beta-in-range", "BRCA", BETA), "outcome-time-zero", "OV", ZERO))
        assert "1 of 50 checks failed. Nothing is trained on this store." in page
        assert "Simulated data" in page
        for text in ("Errors", "Warnings", "cg&lt;b&gt;7&lt;/b&gt;", "SIMU-A1-BR00", *clean["cohorts"]):
            assert text in page
        for check in clean["checks"]:
            assert check["title"].replace("'", "&#39;").replace(">", "&gt;") in page

    def test_page_of_a_store_that_passes(self, clean: dict[str, Any]) -> None:
        page = render(clean)
        assert "Passed." in page
        assert "Errors" not in page
        assert "Not checked</h2>" not in page

    @pytest.mark.parametrize(
        ("value", "expected"),
        [(None, ""), (3, "3"), (12345, "12,345"), (0.123456, "0.1235"), (2e6, "2,000,000"), ("a", "a"), (True, "yes")],
    )
    def test_numbers_on_the_page(self, value: Any, expected: str) -> None:
        assert report._number(value) == expected

    @pytest.mark.parametrize(
        ("share", "expected"),
        [(None, ""), (0.0, "0%"), (1.0, "100%"), (0.0002, "<0.1%"), (0.9999, ">99.9%"), (0.1234, "12.3%")],
    )
    def test_shares_on_the_page(self, share: float | None, expected: str) -> None:
        assert report._percent(share) == expected

    def test_infinite_is_null(self) -> None:
        assert rounded(float("inf")) is None


class TestCommand:
    @pytest.fixture
    def body(self, clean: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        """The report that the command finds; to be changed."""
        body = copy.deepcopy(clean)
        monkeypatch.setattr(report, "check_store", lambda store, *, advance: body)
        return body

    def test_clean_store(self, clean: dict[str, Any], clean_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        study = clean_store.parent.parent
        monkeypatch.chdir(study)
        done = RUN.invoke(cli.app, ["validate"])
        assert done.exit_code == 0, done.output
        assert "0 errors, 0 warnings, 50 passed, 0 not checked" in done.stdout
        assert json.loads((study / "reports" / "validation.json").read_bytes()) == clean
        assert (study / "reports" / "validation.html").is_file()

    def test_error(self, body: dict[str, Any], clean_store: Path, tmp_path: Path) -> None:
        body |= spoil(body, "beta-in-range", "BRCA", BETA)
        done = RUN.invoke(cli.app, ["validate", "--store", str(clean_store), "--out", str(tmp_path)])
        assert done.exit_code == 1
        assert "✕ expected: methylation betas lie in [0, 1]" in done.stdout
        assert "BRCA meth cg<b>7</b> (n_outside 1, min 0.1, max 1.7)" in done.stdout
        message = done.stderr.splitlines()[-1]
        assert message.startswith(
            "error: the store fails 1 of 50 checks. Expected methylation betas lie in [0, 1], but"
        )
        assert f"To mend it: read {tmp_path / 'validation.html'}" in message
        assert not json.loads((tmp_path / "validation.json").read_bytes())["passed"]

    @pytest.mark.parametrize(("strict", "code"), [(False, 0), (True, 1)])
    def test_warning(self, body: dict[str, Any], clean_store: Path, tmp_path: Path, strict: bool, code: int) -> None:
        body |= spoil(body, "outcome-time-zero", "OV", ZERO)
        words = ["validate", "--store", str(clean_store), "--out", str(tmp_path)]
        done = RUN.invoke(cli.app, [*words, "--strict"] if strict else words)
        assert done.exit_code == code
        assert "! expected: times are over 0" in done.stdout
        assert "warning: 1 check has a warning" in done.stderr

    def test_json(self, body: dict[str, Any], clean_store: Path, tmp_path: Path) -> None:
        body |= spoil(body, "beta-in-range", "BRCA", BETA)
        done = RUN.invoke(cli.app, ["validate", "--store", str(clean_store), "--out", str(tmp_path), "--json"])
        assert done.exit_code == 1
        found = json.loads(done.stdout)
        assert (found["passed"], [c["id"] for c in found["errors"]], found["warnings"]) == (
            False,
            ["beta-in-range"],
            [],
        )
        assert found["report"]["json"] == str(tmp_path / "validation.json")

    def test_crash_leaves_the_old_report(
        self, body: dict[str, Any], clean_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        words = ["validate", "--store", str(clean_store), "--out", str(tmp_path)]
        assert RUN.invoke(cli.app, words).exit_code == 0
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        body["release"] = "f" * 64

        def fail(_: object) -> str:
            raise OSError("no space left")

        monkeypatch.setattr(report, "render", fail)
        assert RUN.invoke(cli.app, words).exit_code == 1
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before

    def test_no_store(self, tmp_path: Path) -> None:
        done = RUN.invoke(cli.app, ["validate", "--store", str(tmp_path / "none"), "--out", str(tmp_path / "out")])
        assert done.exit_code == 1
        assert "there is no store at" in done.stderr
        assert not (tmp_path / "out").exists()

    def test_help_imports_nothing_heavy(self) -> None:
        code = (
            "import sys, validation.cli; print(*sorted({'great_expectations', 'pandas', 'polars'} & set(sys.modules)))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == ""
