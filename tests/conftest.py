"""Fixtures that several test folders use."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """A shell that starts the tests in the background has Ctrl-C ignored, and children would inherit that."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "tests" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


# Tests may `import store_factory`: pytest's importlib mode puts no folder on the path.
_FACTORY = _load("store_factory")


@pytest.fixture(scope="session")
def store_factory() -> ModuleType:
    """The module tests/store_factory.py: make_store, make_cohort, make_patches."""
    return _FACTORY


@pytest.fixture(scope="session")
def tiny_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small random store (cohorts AAA, BBB, CCC); only for reading."""
    root = tmp_path_factory.mktemp("tiny-study") / "data" / "store"
    _FACTORY.make_store(root)
    return root
