"""An export is complete or not there, and never overwrites what is no export."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

import omicstore
import omicstore.export.npz
from omicstore.errors import ExportError, UnknownNameError
from omicstore.export import export
from omicstore.export.folder import new_folder
from omicstore.store.cohort import Cohort


@pytest.fixture
def cohort(tiny_store: Path) -> Iterator[Cohort]:
    with omicstore.open(tiny_store) as store:
        yield store.query(cohort="AAA", modalities="rna")


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C after the first file of an npz export."""

    def write(cohort: Cohort, folder: Path) -> list[str]:
        (folder / "cohort.npz").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(omicstore.export.npz, "write", write)


class TestTarget:
    def test_parents_are_made(self, cohort: Cohort, tmp_path: Path) -> None:
        export(cohort, "csv", tmp_path / "a" / "b")
        assert (tmp_path / "a" / "b" / "manifest.json").is_file()
        assert names(tmp_path / "a") == ["b"]

    def test_an_empty_folder_is_taken(self, cohort: Cohort, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        export(cohort, "csv", tmp_path / "out")
        assert "rna.csv.gz" in names(tmp_path / "out")

    @pytest.mark.parametrize("overwrite", [False, True])
    def test_what_is_no_export_is_kept(self, cohort: Cohort, tmp_path: Path, overwrite: bool) -> None:
        (tmp_path / "thesis.tex").write_text("years of work")
        with pytest.raises(ExportError, match=r"holds files that are no export\. Expected a new folder"):
            export(cohort, "csv", tmp_path, overwrite=overwrite)
        assert names(tmp_path) == ["thesis.tex"]

    def test_a_file_is_kept(self, cohort: Cohort, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("text")
        with pytest.raises(ExportError, match="is no folder"):
            export(cohort, "csv", tmp_path / "out", overwrite=True)

    def test_an_earlier_export_is_kept_unless_told(self, cohort: Cohort, tmp_path: Path) -> None:
        export(cohort, "csv", tmp_path / "out")
        with pytest.raises(ExportError, match="holds an earlier export.*--overwrite"):
            export(cohort, "npz", tmp_path / "out")
        export(cohort, "npz", tmp_path / "out", overwrite=True)
        assert names(tmp_path / "out") == [
            "CITATION.md", "cohort.npz", "croissant.json", "manifest.json", "provenance.csv", "samples.csv",
        ]  # fmt: skip
        assert names(tmp_path) == ["out"]

    def test_what_was_put_beside_an_earlier_export_is_kept(self, cohort: Cohort, tmp_path: Path) -> None:
        export(cohort, "csv", tmp_path / "out")
        (tmp_path / "out" / "features" / "mine.ipynb").write_text("a week of work")
        with pytest.raises(ExportError, match=r"put beside it: features/mine\.ipynb\..*move your own files"):
            export(cohort, "npz", tmp_path / "out", overwrite=True)
        assert (tmp_path / "out" / "features" / "mine.ipynb").exists()

    def test_the_store_is_no_place_for_an_export(self, cohort: Cohort) -> None:
        assert isinstance(cohort.store.root, Path)
        with pytest.raises(ExportError, match="lies in the store"):
            export(cohort, "csv", cohort.store.root / "out")
        assert not (cohort.store.root / "out").exists()

    def test_of_two_at_once_the_later_gives_way(self, tmp_path: Path) -> None:
        out = tmp_path / "out"

        def later() -> None:
            with new_folder(out, overwrite=False) as made:
                (made / "late.csv").touch()
                out.mkdir()
                (out / "manifest.json").write_text('{"format": "omicstore.export/1"}')

        with pytest.raises(ExportError, match="holds an earlier export"):
            later()
        assert names(tmp_path) == ["out"]
        assert names(out) == ["manifest.json"]

    def test_an_export_that_was_moved_aside_comes_back(self, cohort: Cohort, tmp_path: Path) -> None:
        export(cohort, "csv", tmp_path / "out")
        gone = 2**22 + 1  # above any process id of Linux
        (tmp_path / "out").rename(tmp_path / f".out.{gone}.old")
        with pytest.raises(ExportError, match="holds an earlier export"):
            export(cohort, "csv", tmp_path / "out")
        assert names(tmp_path) == ["out"]

    def test_a_mistyped_format_names_the_nearest(self, cohort: Cohort, tmp_path: Path) -> None:
        with pytest.raises(UnknownNameError, match=r"unknown format 'parkuet'\. Expected one of parquet"):
            export(cohort, "parkuet", tmp_path / "out")
        assert names(tmp_path) == []


@pytest.mark.usefixtures("interrupted")
class TestInterrupted:
    def test_nothing_is_left(self, cohort: Cohort, tmp_path: Path) -> None:
        with pytest.raises(KeyboardInterrupt):
            export(cohort, "npz", tmp_path / "out")
        assert names(tmp_path) == []

    def test_the_earlier_export_is_left(self, cohort: Cohort, tmp_path: Path) -> None:
        export(cohort, "csv", tmp_path / "out")
        before = names(tmp_path / "out")
        with pytest.raises(KeyboardInterrupt):
            export(cohort, "npz", tmp_path / "out", overwrite=True)
        assert names(tmp_path) == ["out"]
        assert names(tmp_path / "out") == before


def test_a_failed_swap_puts_the_earlier_export_back(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(cohort, "csv", tmp_path / "out")
    before = names(tmp_path / "out")
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if self.name.endswith(".new"):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="No space left"):
        export(cohort, "npz", tmp_path / "out", overwrite=True)
    assert names(tmp_path) == ["out"]
    assert names(tmp_path / "out") == before


def test_a_full_disk_is_told_of_safetensors_too(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    safetensors = pytest.importorskip("safetensors.numpy")
    from safetensors import SafetensorError

    def full(*args: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(safetensors, "save_file", full)
    with pytest.raises(OSError, match="No space left") as caught:
        export(cohort, "safetensors", tmp_path / "out")
    assert caught.value.errno == errno.ENOSPC
    assert names(tmp_path) == []
