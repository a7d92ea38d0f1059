"""A trained model from the hub: the same checks as of a folder on the disk."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from models.new.hub import fetch_model
from omicstore.cli import main
from omicstore.errors import OmicstoreError, UsageError


@pytest.fixture
def hub(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub with one model, ``lab/aro``, of revision v1."""
    folder = tmp_path / "hub"
    shutil.copytree(trained / "artifacts/aro", folder)

    def download(name: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        assert not any(pattern in ("*", "*.py", "*.pkl", "*.bin") for pattern in allow_patterns)
        if (name, revision) not in {("lab/aro", None), ("lab/aro", "v1")}:
            raise LocalEntryNotFoundError(f"nothing of {name} is here")
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.chdir(tmp_path)
    return folder


def run(*words: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["omicstore", *words])
        with pytest.raises(SystemExit) as left:
            main()
    return int(left.value.code or 0)


def test_a_model_of_the_hub_is_used_and_its_seals_are_checked(
    hub: Path, tmp_path: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    genes = json.loads(next((hub / "state").rglob("*.json")).read_text())["modalities"]["rna"]["features"]
    file = tmp_path / "rna.tsv"
    file.write_text("gene_id\tME1\n" + "".join(f"{g}\t{i % 7 + 1}.5\n" for i, g in enumerate(genes)))
    words = ["embed", str(file), "--modality", "rna", "--unit", "tpm", "--samples-in", "columns"]
    for i, address in enumerate(("hf://lab/aro", "hf://lab/aro@v1", str(trained / "artifacts/aro"))):
        assert run(*words, "--model", address, "--out", str(tmp_path / f"o{i}")) in (0, 3), capsys.readouterr().err
    kept = [(tmp_path / f"o{i}" / "embedding.parquet").read_bytes() for i in range(3)]
    assert kept[0] == kept[1] == kept[2]
    weights = hub / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")
    capsys.readouterr()
    assert run(*words, "--model", "hf://lab/aro", "--out", str(tmp_path / "p")) == 1
    assert "is not the file that its sidecar describes" in capsys.readouterr().err


def test_what_is_not_there_is_said(hub: Path) -> None:
    with pytest.raises(OmicstoreError, match="hf://lab/none could not be had: nothing of lab/none is here"):
        fetch_model("hf://lab/none")


@pytest.mark.parametrize("address", ["hf://aro", "hf://", "hf://a/b/c", "hf://a/b@", "hf://a b/c"])
def test_an_address_that_is_none(hub: Path, address: str) -> None:
    with pytest.raises(UsageError, match="no address of a model"):
        fetch_model(address)
