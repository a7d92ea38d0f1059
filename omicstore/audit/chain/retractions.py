"""What was retracted of the release or of the patients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omicstore.audit.finding import Finding, not_applicable, result

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
    """Look for retractions of the release or of the patients, and for lines of the log that say nothing."""
    events = bundle.events
    if not events:
        return not_applicable("retractions", _WHAT, "there is no releases/log.jsonl here: nothing was released")
    broken, retracted = [], dict[tuple[str, str], dict[str, Any]]()
    for number, event in enumerate(events, 1):
        kind = str(event.get("event"))
        if any(not isinstance(event.get(key), str) for key in _KEYS.get(kind, ("event",))) or kind not in _KEYS:
            broken.append(f"line {number} of releases/log.jsonl is not what omicstore writes there")
        elif kind != "release":
            thing = (event["kind"], str(event.get(event["kind"])))
            if kind == "retract":
                retracted[thing] = event
            elif retracted.pop(thing, None) is None:
                broken.append(f"line {number} of releases/log.jsonl takes back a retraction that there is not")
    patients = set(bundle.rows["patient_id"].to_list())
    used = {("release", str(bundle.named_release)), *(("patient", name) for name in patients)}
    said = [_sentence(event) for thing, event in retracted.items() if thing in used]
    how = f"the {len(events)} lines of releases/log.jsonl were read"
    severity = "error" if broken else "warning"
    return result("retractions", _WHAT, broken + said, how, severity, retracted=len(retracted))


def _sentence(event: dict[str, Any]) -> str:
    instead = f"; use {event['replaced_by']} instead" if event.get("replaced_by") else ""
    return f"{event['kind']} {event['name']} is retracted: {event['reason'].rstrip('.')}{instead}"
