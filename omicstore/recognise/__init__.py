"""Recognition of upstream files: ``omicstore sources`` tells what they are and what it is unsure of."""

from __future__ import annotations

from omicstore.recognise.finding import Finding, Part
from omicstore.recognise.frame import recognise
from omicstore.recognise.section import Section, make_section, section_text
from omicstore.recognise.survey import survey

__all__ = ["Finding", "Part", "Section", "make_section", "recognise", "section_text", "survey"]
