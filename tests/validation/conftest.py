"""A study whose store passes all checks."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

# Tests may `import tiny_study`: pytest's importlib mode puts no folder on the path.
_SPEC = importlib.util.spec_from_file_location("tiny_study", Path(__file__).parent / "tiny_study.py")
tiny_study = importlib.util.module_from_spec(_SPEC)
sys.modules["tiny_study"] = tiny_study
_SPEC.loader.exec_module(tiny_study)


@pytest.fixture(scope="session")
def clean_store(store_factory: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store without faults; only for reading."""
    cohorts = tiny_study.clean_cohorts(store_factory)
    return tiny_study.write_study(tmp_path_factory.mktemp("clean"), cohorts, store_factory)


@pytest.fixture(scope="session")
def clean(clean_store: Path) -> dict[str, Any]:
    """The report of the store without faults."""
    return tiny_study.report_of(clean_store)
