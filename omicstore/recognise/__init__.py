"""Recognition of upstream files: ``omicstore sources`` tells what they are and what it is unsure of."""

from __future__ import annotations

from omicstore.recognise.finding import Finding, Part
from omicstore.recognise.frame import recognise

__all__ = ["Finding", "Part", "recognise"]
