"""Fixtures that several test folders use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real studies, or a skip that says where it was looked for."""
    named = os.environ.get("OMICSTORE_REAL_DATA")
    candidates = [Path(named)] if named else []
    candidates.append(ROOT.parent / "shared" / "data")
    for folder in candidates:
        if (folder / "studies" / "blca.yaml").is_file():
            return folder
    pytest.skip("real studies absent: set OMICSTORE_REAL_DATA or put them in ../shared/data")


@pytest.fixture(scope="session")
def bad() -> Path:
    """The folder of tiny bad files, one per rule."""
    return ROOT / "tests" / "bad"
