"""Reading a store's releases: their names, what was retracted, and what each of them held.

They lie in a folder ``releases``: the study's, which git keeps, and a copy in the store, which goes where the store
goes and serves a store without a study. A release counts once ``log.jsonl`` names it.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from omicstore.errors import StoreError, UnknownNameError, UsageError
from omicstore.store.hashing import release_hash
from omicstore.store.layout import EVENTS, RELEASES, STORE_JSON, release_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from omicstore.store.filesystem import Root

__all__ = ["ALIASES", "CURRENT", "ENTRY_FORMAT", "Named", "Registry", "Retraction", "places", "released_bodies"]

ENTRY_FORMAT = "omicstore.release/1"
#: What the store holds now, released or not.
CURRENT = "current"
#: Names that move: the newest release, and the newest that is not retracted.
ALIASES = ("latest", "stable")
#: As few digits of an id are enough, if no other release begins with them.
_DIGITS = 4

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Named:
    """A name that a release was given.

    Attributes
    ----------
    name, release
        The name and the release id.
    date
        When, as the caller's clock had it; no hash depends on it.
    notes
        What the releaser had to say; may be empty.
    """

    name: str
    release: str
    date: str
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Retraction:
    """What must not be used any more.

    Attributes
    ----------
    kind
        ``release`` or ``patient``.
    what
        The release id or the patient.
    name
        What to call it: a release's name, or the patient.
    reason
        Why.
    replaced_by
        What to use instead, by name; None where there is nothing.
    date
        When; no hash depends on it.
    """

    kind: str
    what: str
    name: str
    reason: str
    replaced_by: str | None = None
    date: str = field(default="", compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return it as manifests hold it, without the date."""
        return {
            "kind": self.kind, self.kind: self.what, "name": self.name,
            "reason": self.reason, "replaced_by": self.replaced_by,
        }  # fmt: skip

    @property
    def sentence(self) -> str:
        """What a user is told.

        Examples
        --------
        >>> Retraction("patient", "P1", "P1", "withdrew consent").sentence
        'patient P1 is retracted: withdrew consent'
        """
        instead = f"; use {self.replaced_by} instead" if self.replaced_by else ""
        return f"{self.kind} {self.name} is retracted: {self.reason.rstrip('.')}{instead}"


class Registry:
    """The releases of a store, as they are now.

    Parameters
    ----------
    root
        The store; it need not hold a ``store.json``.

    Attributes
    ----------
    names
        What was named, oldest first.
    retractions
        What was retracted and not restored since, in the order of its first retraction; of several for one thing, the
        last one said.

    Raises
    ------
    StoreError
        If the log cannot be read.
    """

    def __init__(self, root: Root) -> None:
        self._root = root
        self.names: list[Named] = []
        retracted: dict[tuple[str, str], Retraction] = {}
        for number, event in _events(root):
            try:
                if event["event"] == "release":
                    self.names.append(Named(event["name"], event["release"], event["date"], event["notes"]))
                elif event["event"] == "restore":
                    retracted.pop((event["kind"], event[event["kind"]]), None)
                else:
                    kind = event["kind"]
                    found = Retraction(
                        kind, event[kind], event["name"], event["reason"], event["replaced_by"], event["date"]
                    )
                    retracted[kind, found.what] = found
            except (KeyError, TypeError):
                raise _broken_log(root, number) from None
        self.retractions = list(retracted.values())

    def retraction(self, kind: str, what: str) -> Retraction | None:
        """Return the retraction of a release id or a patient, if there is one."""
        return next((r for r in self.retractions if (r.kind, r.what) == (kind, what)), None)

    def concerning(self, releases: Iterable[str], patients: Iterable[str]) -> list[Retraction]:
        """Return the retractions of any of these releases and patients."""
        among = {"release": set(releases), "patient": set(patients)} if self.retractions else {}
        return [r for r in self.retractions if r.what in among[r.kind]]

    def name_of(self, release: str) -> str:
        """Return the newest name of a release id, or the id's first digits."""
        return next((n.name for n in reversed(self.names) if n.release == release), release[:12])

    def find(self, asked: str) -> Named | None:
        """Return the release of that name, id, beginning of an id, or alias; None if there is none.

        An alias is resolved with a line in the log.

        Raises
        ------
        UsageError
            If several releases begin with `asked`.
        """
        word = asked.strip().casefold()
        newest = self.names[::-1]
        if word in ALIASES:
            kept = [n for n in newest if word == "latest" or self.retraction("release", n.release) is None]
            if not kept:
                return None
            log.warning("%s is %s (%s)", word, kept[0].name, kept[0].release[:12])
            return kept[0]
        if named := [n for n in newest if n.name.casefold() == word]:
            return named[0]
        begun = [n for n in newest if len(word) >= _DIGITS and n.release.startswith(word)]
        if len({n.release for n in begun}) > 1:
            raise UsageError(
                f"{asked!r} begins the ids of {len({n.release for n in begun})} releases",
                expected=f"one of {', '.join(sorted({n.name for n in begun}))}",
            )
        return begun[0] if begun else None

    def resolve(self, asked: str) -> Named:
        """Return the release of that name, id, beginning of an id, or alias; see `find`.

        Raises
        ------
        UnknownNameError
            If there is none; names the nearest ones.
        """
        if (found := self.find(asked)) is not None:
            return found
        if not self.names:
            raise UsageError(
                f"unknown release {asked!r}: nothing has been released here",
                expected=CURRENT,
                run="omicstore release NAME freezes the store as it is",
            )
        if asked.strip().casefold() in ALIASES:
            raise UsageError(
                f"every release is retracted, so none is {asked!r}",
                expected=f"a release by its own name, such as {self.names[-1].name}, or {CURRENT}",
                run="omicstore log tells why, and what to use instead",
            )
        known = [*dict.fromkeys(n.name for n in self.names), *ALIASES, CURRENT]
        raise UnknownNameError("release", asked, known, run="omicstore log lists them")

    def entry(self, release: str) -> dict[str, Any]:
        """Return what was written when a release was frozen.

        Raises
        ------
        StoreError
            If it is absent or broken, or its content does not give the release id.
        """
        path = release_file(release)
        for read in _readers(self._root):
            try:
                return _checked(read(path), release, f"{self._root.url}: {path}")
            except FileNotFoundError:
                continue
        raise StoreError(
            f"release {self.name_of(release)} is in the log, but {path} is absent",
            expected="the file that omicstore release wrote",
            run=f"git checkout {path}",
        )


def places(folder: Path) -> list[Path]:
    """Return the folders that hold the releases of the store in `folder`, the one that counts first."""
    study = folder.absolute().parent.parent
    inside = folder.absolute() == study / "data" / "store" and (study / "params.yaml").is_file()
    return [study / RELEASES, folder / RELEASES] if inside else [folder / RELEASES]


def released_bodies(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the ``store.json`` of each release of the store in `folder`; its files must stay.

    Raises
    ------
    StoreError
        If one cannot be read: nobody knows then what it needs.
    """
    seen = set()
    for place in places(folder):
        for path in sorted(place.glob("[0-9a-f]*.json")):
            if path.name not in seen:
                seen.add(path.name)
                yield _checked(path.read_bytes(), None, str(path))["store"]


def _checked(content: bytes, release: str | None, where: str) -> dict[str, Any]:
    try:
        entry = json.loads(content)
        held = release_hash(entry["store"])
        sound = entry["format"] == ENTRY_FORMAT and held == entry["release"] == entry["store"]["release"]
        sound = sound and release in (None, held)
    except (ValueError, KeyError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise StoreError(
            f"{where} is not what omicstore release wrote: what it names does not give its release id",
            expected="the file as it was committed",
            run="git checkout it",
        )
    return dict(entry)


def _readers(root: Root) -> list[Any]:
    """Return what reads a path such as ``releases/log.jsonl``, from each place that may hold it."""
    if root.local is None:
        return [root.read_bytes]
    return [lambda path, place=place: (place.parent / path).read_bytes() for place in places(root.local)]


def _events(root: Root) -> Iterator[tuple[int, dict[str, Any]]]:
    content = b""
    for read in _readers(root):
        try:
            content = read(EVENTS)
            break
        except OSError as error:
            # A bucket may answer "forbidden" where it means "absent" to who may not list it.
            if root.local is None or isinstance(error, FileNotFoundError | NotADirectoryError):
                continue
            raise StoreError(f"{root.url}: {EVENTS} cannot be read: {error}", run="correct its permissions") from None
    for number, line in enumerate(content.splitlines(), 1):
        if line.strip():
            try:
                event = json.loads(line)
            except ValueError:
                raise _broken_log(root, number) from None
            yield number, event


def _broken_log(root: Root, number: int) -> StoreError:
    return StoreError(
        f"{EVENTS} of {root.url}, line {number}, is not what omicstore writes beside {STORE_JSON}",
        expected="one JSON object per line",
        run=f"git checkout {EVENTS}; after a merge keep the lines of both sides",
    )
