"""Retracting a release or a patient, and taking that back: nothing is deleted, and whatever uses it says so."""

from __future__ import annotations

from dataclasses import replace

from omicstore.errors import StoreError, UnknownNameError, UsageError, mistyped
from omicstore.releases.write import append_event, local_folder, writing
from omicstore.store.reader import Store
from omicstore.store.registry import CURRENT, Registry, Retraction

__all__ = ["restore", "retract"]


def retract(
    store: Store, what: str, *, reason: str, date: str, replaced_by: str | None = None, dry_run: bool = False
) -> tuple[Retraction, bool]:
    """Retract a release, or a patient of any release.

    A patient's retraction changes no number: the release ids stay what they are, and queries that find the patient
    warn. The patient is gone once the sources no longer hold it and the store is built again.

    Parameters
    ----------
    store
        The store, of any release.
    what
        A release's name, alias, id or the beginning of it, or a patient.
    reason
        Why; it is shown wherever the thing is used.
    date
        When, as text; no hash depends on it.
    replaced_by
        A release to use instead, or a patient; None where there is nothing.
    dry_run
        Check everything and write nothing.

    Returns
    -------
    tuple of Retraction and bool
        What was retracted, and whether that is new; the same retraction again is not.

    Raises
    ------
    UnknownNameError
        If there is no such release or patient; the nearest ones are named.
    UsageError
        If there is no reason, or a thing would replace itself.
    """
    folder = local_folder(store, "retract")
    if not reason.strip():
        raise UsageError("a retraction without a reason", expected="what is wrong", run="--reason TEXT")
    registry = Registry(store.files)
    found = replace(_thing(store, registry, what), reason=reason.strip(), date=date)
    if replaced_by is not None:
        other = _thing(store, registry, replaced_by)
        if other.kind != found.kind:
            raise UsageError(f"{other.name} is a {other.kind}", expected=f"a {found.kind} in place of {found.name}")
        if other.what == found.what:
            raise UsageError(f"{found.name} cannot replace itself", expected="another one, or no --replaced-by")
        found = replace(found, replaced_by=other.name)
    if (before := registry.retraction(found.kind, found.what)) == found or dry_run:
        return found, before != found
    event = {"event": "retract", **found.to_json(), "date": date}
    with writing(folder):
        append_event(folder, event, {})
    return found, True


def restore(store: Store, what: str, *, reason: str, date: str, dry_run: bool = False) -> Retraction:
    """Take back the retraction of a release or a patient; the log keeps both events.

    Parameters
    ----------
    store, what, date, dry_run
        As in `retract`.
    reason
        Why it may be used again.

    Returns
    -------
    Retraction
        What is taken back.

    Raises
    ------
    UnknownNameError
        If there is no such release or patient.
    UsageError
        If it is not retracted, or there is no reason.
    """
    folder = local_folder(store, "retract")
    if not reason.strip():
        raise UsageError("a retraction is taken back without a reason", expected="why", run="--reason TEXT")
    registry = Registry(store.files)
    thing = _thing(store, registry, what)
    found = registry.retraction(thing.kind, thing.what)
    if found is None:
        retracted = ", ".join(r.name for r in registry.retractions)
        raise UsageError(
            f"{thing.kind} {thing.name} is not retracted",
            expected=f"one of {retracted}" if retracted else "a retraction; there is none",
            run="omicstore log lists them",
        )
    if not dry_run:
        event = {
            "event": "restore", "kind": found.kind, found.kind: found.what, "name": found.name,
            "reason": reason.strip(), "date": date,
        }  # fmt: skip
        with writing(folder):
            append_event(folder, event, {})
    return found


def _patients(store: Store) -> dict[str, str]:
    """Return the patients of an open store by their name in one case."""
    return {patient.casefold(): patient for patient in store.samples()["patient_id"].drop_nulls().unique().sort()}


def _thing(store: Store, registry: Registry, asked: str) -> Retraction:
    word, patients = asked.strip().casefold(), _patients(store)
    if word in patients:
        return Retraction("patient", patients[word], patients[word], "")
    if (named := registry.find(asked)) is not None:
        return Retraction("release", named.release, named.name, "")
    if word == CURRENT:
        raise UsageError(
            f"{CURRENT} is no release: what it holds moves with every build",
            expected="a release or a patient",
            run="omicstore release NAME freezes it first, or build it again without what is wrong",
        )
    for release in sorted({named.release for named in registry.names} - {store.release}):
        try:
            with Store(store.files, release) as older:
                earlier = _patients(older)
        except StoreError:
            continue  # its files are not on this machine, so it cannot help to find a name
        if word in earlier:
            return Retraction("patient", earlier[word], earlier[word], "")
    names = list(dict.fromkeys(named.name for named in registry.names))
    likely = mistyped(asked, [*names, *patients.values()]) or names or list(patients.values())
    raise UnknownNameError(
        "release or patient", asked, likely, run="omicstore log lists releases; omicstore query finds patients"
    )
