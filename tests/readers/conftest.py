"""Helpers to write the small files that the readers are tested with."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from omicstore.sources import Source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a file, compressed where its name ends with .gz."""

    def put(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        return path

    return put


@pytest.fixture
def source() -> Callable[..., Source]:
    """Make a source; a matrix of RNA in TPM unless told otherwise."""

    def make(path: Path, kind: str = "matrix", **more: object) -> Source:
        values: dict[str, object] = {"modality": "rna", "cohort": "XX", "unit": "tpm"} | more
        return Source(path, kind, **values)  # type: ignore[arg-type]

    return make
