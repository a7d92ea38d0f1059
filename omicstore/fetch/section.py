"""The study section of what was fetched: ``study.yaml`` beside the files.

It holds everything that the folder's record knows, so what several fetches brought into one folder is one study. A
study.yaml that a person has changed is left alone.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import yaml

from omicstore.files import write_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.fetch.plan import Item, Part, Plan
    from omicstore.fetch.record import Record

__all__ = ["NAME", "remember", "section", "write"]

NAME = "study.yaml"

#: The order of the keys of a source, as a person reads them.
_ORDER = ("path", "format", "platform", "modality", "cohort", "unit", "url", "sha256", "licence")


def remember(plan: Plan, folder: Path, record: Record) -> None:
    """Write the small tables beside the files, and add the plan's sources and references to the record."""
    for part in plan.parts:
        for path, text in sorted(part.texts.items()):
            (folder / path).write_text(text, encoding="utf-8")
        if part.items and part.entry is not None:
            entry = dict(part.entry) | _origin(part, record)
            if part.kind is None:
                record.add("source", part.path, {"dataset": plan.dataset, "group": part.group, "entry": entry})
            else:
                record.add("reference", part.path, {"kind": part.kind, "entry": entry})
    record.tidy()


def _origin(part: Part, record: Record) -> dict[str, Any]:
    """Return where a source comes from; a folder of many files has its checksums in its manifest."""
    item = part.items[0]
    if len(part.items) > 1 or item.path != part.path:
        return {}
    return {"url": item.url} | _sum(item, record)


def _sum(item: Item, record: Record) -> dict[str, str]:
    known = record.get("file", item.path) or {}
    return {"sha256": known["sha256"]} if "sha256" in known else {}


def section(record: Record) -> str:
    """Return the study section of all that a folder's record knows, as YAML.

    A reference has no keys for its origin; a comment tells it.
    """
    sources, references = record.all("source"), record.all("reference")
    datasets = sorted({known["dataset"] for known in sources.values()})
    cohorts = sorted({known["entry"]["cohort"] for known in sources.values() if known["entry"].get("cohort")})
    lines = ["# Written by omicstore fetch; make a study of it with: omicstore init DIR --sources study.yaml", "study:"]
    if sources:
        lines += [f"  dataset: {_flow('_'.join(datasets))}", f"  cohorts: {_flow(cohorts)}"]
    if references:
        lines.append("  references:")
    for kind in sorted({known["kind"] for known in references.values()}):
        own = [{"path": path} | known["entry"] for path, known in references.items() if known["kind"] == kind]
        if len(own) == 1:
            lines.append(f"    {kind}: {_reference(own[0])}")
        else:
            lines += [f"    {kind}:", *(f"      - {_reference(entry)}" for entry in own)]
    if sources:
        lines.append("  sources:")
    for path, known in sources.items():
        entry = {"path": path} | known["entry"]
        lines.append(f"    - {_flow({key: entry[key] for key in _ORDER if key in entry})}")
    return "\n".join(lines) + "\n"


def write(folder: Path, record: Record) -> tuple[str, bool]:
    """Write study.yaml, unless there is no source yet or a person has changed it.

    Returns
    -------
    text
        The section.
    written
        Whether study.yaml says it now.
    """
    text = section(record)
    path = folder / NAME
    if not record.all("source"):
        return text, False
    if path.exists():
        now = path.read_text(encoding="utf-8")
        ours = (record.get("study", NAME) or {}).get("sha256")
        if now != text and _hash(now) != ours:
            return text, False
    write_bytes(path, text.encode())
    record.add("study", NAME, {"sha256": _hash(text)})
    record.tidy()
    return text, True


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _reference(entry: dict[str, Any]) -> str:
    known = {key: entry[key] for key in ("path", "format", "platform") if key in entry}
    return f"{_flow(known)}  # {entry['url']} sha256 {entry['sha256']}"


def _flow(value: Any) -> str:
    """Return a value as YAML on one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=float("inf"))
    return text.removesuffix("...\n").strip()
