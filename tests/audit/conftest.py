"""Makes ``import audit_cases`` and ``import chain_study`` work: pytest's importlib mode puts no folder on the path."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

for _name in ("audit_cases", "chain_study"):
    _spec = importlib.util.spec_from_file_location(_name, Path(__file__).with_name(f"{_name}.py"))
    _module = importlib.util.module_from_spec(_spec)
    sys.modules[_name] = _module
    _spec.loader.exec_module(_module)


@pytest.fixture(scope="session")
def chained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with a store, a split, a trained and judged model and a release; only for reading."""
    root = tmp_path_factory.mktemp("chained") / "study"
    sys.modules["chain_study"].write_study(root)
    return root


@pytest.fixture
def tampered(chained: Path, tmp_path: Path) -> Path:
    """A copy of it, to do anything with."""
    shutil.copytree(chained, tmp_path / "study")
    return tmp_path / "study"
