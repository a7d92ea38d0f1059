"""What was retracted of the release or of the patients."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from omicstore.audit.finding import Finding, not_applicable, result
from omicstore.audit.reading import at

if TYPE_CHECKING:
    from omicstore.audit.bundle import Bundle

_WHAT = "nothing that is used here is retracted"

#: What an event must say, by its kind; what it is of stands under the name of the thing's kind.
_KEYS = {
    "release": ("name", "release", "date"),
    "retract": ("kind", "name", "reason"),
    "restore": ("kind", "name", "reason"),
}


def retractions(bundle: Bundle) -> Finding:
    """Look for retractions of the release or of the patients, and for lines of the log that are not as written."""
    lines, said = _log(bundle)
    known_then = at(bundle.manifest, "release", "retractions") or []
    if not lines and not known_then:
        return not_applicable("retractions", _WHAT, "there is no releases/log.jsonl here: nothing was released")
    broken, retracted = [], dict[tuple[str, str], dict[str, Any]]()
    for number, line in enumerate(lines, 1):
        event = _event(line)
        if event is None:
            broken.append(f"line {number} of releases/log.jsonl is not what omicstore writes there")
        elif event["event"] != "release":
            thing = (event["kind"], str(event.get(event["kind"])))
            if event["event"] == "retract":
                retracted[thing] = event
            elif retracted.pop(thing, None) is None:
                broken.append(f"line {number} of releases/log.jsonl takes back a retraction that there is not")
    patients = set(bundle.rows["patient_id"].to_list())
    used = {("release", str(bundle.named_release)), *(("patient", name) for name in patients)}
    said += [_sentence(event) for thing, event in retracted.items() if thing in used]
    ever = {(e["kind"], str(e.get(e["kind"]))) for e in map(_event, lines) if e and e["event"] == "retract"}
    for known in known_then:
        if (at(known, "kind"), str(at(known, str(at(known, "kind"))))) not in ever:
            said.append(
                f"the split says that {at(known, 'kind')} {at(known, 'name')} is retracted, and the log does not"
            )
    how = f"the {len(lines)} lines of releases/log.jsonl were read, in the study and in the store"
    severity = "error" if broken else "warning"
    return result("retractions", _WHAT, broken + said, how, severity, retracted=len(retracted))


def _log(bundle: Bundle) -> tuple[list[bytes], list[str]]:
    """Return the lines of the log, by whichever of study and store has more, and where the two differ."""
    logs = [
        [line for line in path.read_bytes().splitlines() if line.strip()]
        for folder in (bundle.study, bundle.store)
        if folder is not None and (path := folder / "releases" / "log.jsonl").is_file()
    ]
    pairs = enumerate(zip(logs[0], logs[-1], strict=False), 1) if logs else ()
    differ = [number for number, (one, other) in pairs if one != other]
    said = [f"line {number} of releases/log.jsonl is another in the study than in the store" for number in differ]
    return max(logs, key=len, default=[]), said


def _event(line: bytes) -> dict[str, Any] | None:
    """Return what a line says; None where it is no event."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    keys = _KEYS.get(str(at(event, "event")))
    return event if keys and all(isinstance(event.get(key), str) for key in keys) else None


def _sentence(event: dict[str, Any]) -> str:
    instead = f"; use {event['replaced_by']} instead" if event.get("replaced_by") else ""
    return f"{event['kind']} {event['name']} is retracted: {event['reason'].rstrip('.')}{instead}"
