from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from model_runs import edited

from models.registry import MODELS
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


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_the_model_may_be_named(
    study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.chdir(study)
    assert run(command, "aro", "--dry-run") == 0
    assert "would write" in capsys.readouterr().out
    assert run(command, "arro") == 2
    assert "unknown model 'arro'. Expected one of aro." in capsys.readouterr().err
    assert run(command, "--help") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "[MODEL]" in text
    assert f"{', '.join(sorted(MODELS))}; what train.model in params.yaml says where absent" in text


def test_a_named_model_is_trained_instead_of_the_one_in_params(
    copied: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    edited(copied, "train", model="nobody", config={"hidden": 16, "max_epochs": 1})
    shutil.rmtree(copied / "artifacts")
    monkeypatch.chdir(copied)
    assert run("train") == 2
    assert "unknown model 'nobody'" in capsys.readouterr().err
    for command in (("train", "aro"), ("evaluate", "aro"), ("report",)):
        assert run(*command) == 0
    assert (copied / "artifacts/aro/sidecar.json").is_file()
    assert re.search(
        r"earlier reads of the test part of fold 0: \d+ \(default/test_reads\.jsonl\)", capsys.readouterr().err
    )


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
