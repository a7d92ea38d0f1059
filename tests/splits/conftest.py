"""Makes ``import split_catalogues`` work: pytest's importlib mode puts no folder on the path."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_spec = importlib.util.spec_from_file_location("split_catalogues", Path(__file__).with_name("split_catalogues.py"))
_module = importlib.util.module_from_spec(_spec)
sys.modules["split_catalogues"] = _module
_spec.loader.exec_module(_module)
