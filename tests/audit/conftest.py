"""Makes ``import audit_cases`` work: pytest's importlib mode puts no folder on the path."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_spec = importlib.util.spec_from_file_location("audit_cases", Path(__file__).with_name("audit_cases.py"))
_module = importlib.util.module_from_spec(_spec)
sys.modules["audit_cases"] = _module
_spec.loader.exec_module(_module)
