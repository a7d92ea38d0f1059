from __future__ import annotations

import json
from pathlib import Path

import pytest

from omicstore.cli import main


def run(*words: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["omicstore", *words])
        with pytest.raises(SystemExit) as left:
            main()
    return int(left.value.code or 0)


def test_dry_run_writes_nothing(
    study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(study)
    for command, name in (("train", "artifacts"), ("evaluate", "reports"), ("report", "reports")):
        assert run(command, "--dry-run", "--json") == 0
        assert name in json.loads(capsys.readouterr().out)["would_write"]
        assert not (study / name).exists()


@pytest.mark.parametrize(
    ("command", "message"), [("evaluate", "holds no trained model"), ("report", "evaluation.json is not there")]
)
def test_a_stage_too_early_says_what_to_run(
    study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, message: str
) -> None:
    monkeypatch.chdir(study)
    assert run(command) == 1
    said = capsys.readouterr().err
    assert message in said
    assert "To mend it: omicstore" in said
    assert "Traceback" not in said
