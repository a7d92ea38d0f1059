"""A push to a URL or folder, where the store lies as it lies here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from omicstore.errors import StoreError, UsageError
from omicstore.remote.errors import few
from omicstore.remote.places import UrlSource, content_of
from omicstore.remote.send import Upload, put_bytes
from omicstore.remote.verify import Checker
from omicstore.store.layout import EVENTS, STORE_JSON, release_file
from omicstore.store.registry import Registry, places

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["UrlTarget"]


class UrlTarget:
    """A URL or folder that takes the files as they lie in the store.

    Parameters
    ----------
    store
        The store, on this machine.
    remote
        The URL or folder.
    body
        What ``store.json`` of the release says that is pushed.
    name
        Its name; None where the store as it is is pushed, with all its releases.
    known
        The releases of the store.
    """

    def __init__(self, store: Path, remote: str, body: dict[str, Any], name: str | None, known: Registry) -> None:
        self._there = UrlSource(remote)
        self.name, self.notes = self._there.name, list[str]()
        self._store, self._body, self._named, self._known = store, body, name, known
        self._entries: dict[str, dict[str, Any]] = {}
        self._log: list[bytes] = []

    def refuse(self) -> None:
        """Raise if the place holds another study, or the store here lacks a file."""
        if (held := content_of(self._there, STORE_JSON)) is not None:
            dataset = json.loads(held).get("dataset")
            if dataset != self._body["dataset"]:
                raise UsageError(
                    f"{self.name} holds the study {dataset!r}, and this is {self._body['dataset']!r}",
                    expected="an empty prefix, or one with the same study",
                    run="--remote with another prefix",
                )
        if lacking := [path for path in self._body["files"] if not (self._store / path).is_file()]:
            raise StoreError(
                f"{self._store} lacks {few(lacking, ' of this release')}",
                expected="a whole release, since a push must not leave a part of one",
                run="omicstore pull brings what was not pulled; else build the store again",
            )
        self._log = self._joined_log()

    def uploads(self) -> list[Upload]:
        """Return the files of what is pushed: the release, or the store and those of its releases that are here."""
        bodies = [self._body]
        for named in self._known.names if self._named is None else ():
            if named.release not in self._entries:
                entry = self._known.entry(named.release)
                self._entries[named.release] = entry
                if all((self._store / path).is_file() for path in entry["store"]["files"]):
                    bodies.append(entry["store"])
                else:
                    self.notes.append(f"release {named.name} is not whole here, so its files were not pushed")
        if self._named is not None:
            self._entries[self._body["release"]] = self._known.entry(self._body["release"])
        self._checkers = [(set(body["files"]), Checker(body, self._store)) for body in bodies]
        paths = sorted({path for body in bodies for path in body["files"]})
        system, base = self._there.system, self._there.base
        listed = self._there.list_all()
        return [Upload(path, self._store / path, system, f"{base}/{path}", listed.get(path)) for path in paths]

    def in_order(self, uploads: Sequence[Upload]) -> list[Sequence[Upload]]:
        """Return the uploads as they may go, one part after the other."""
        return [uploads]

    def sound(self, upload: Upload) -> bool:
        """Return whether a file holds what its release names."""
        return next(checker for paths, checker in self._checkers if upload.name in paths).holds(
            upload.name, upload.source
        )

    def commit(self) -> None:
        """Write the releases, their log, and ``store.json``, in this order."""
        system, base = self._there.system, self._there.base
        for release in self._entries:
            path = release_file(release)
            content = next(c for place in places(self._store) if (c := _local(place.parent / path)) is not None)
            if content_of(self._there, path) != content:
                put_bytes(system, f"{base}/{path}", content)
        log = b"".join(line + b"\n" for line in self._log)
        if self._log and content_of(self._there, EVENTS) != log:
            put_bytes(system, f"{base}/{EVENTS}", log)
        # An older release is read by its name; what is there as the newest state stays.
        if self._named is None:
            newest = (self._store / STORE_JSON).read_bytes()
            if content_of(self._there, STORE_JSON) != newest:
                put_bytes(system, f"{base}/{STORE_JSON}", newest)

    def _joined_log(self) -> list[bytes]:
        """Return the events there and here, those there first; of one release those about it."""
        theirs = (content_of(self._there, EVENTS) or b"").splitlines()
        logs = (_local(place.parent / EVENTS) for place in places(self._store))
        ours = next((log for log in logs if log is not None), b"").splitlines()
        names = {event["name"]: event["release"] for event in map(json.loads, theirs) if event["event"] == "release"}
        for event in map(json.loads, ours):
            if event["event"] == "release" and names.get(event["name"], event["release"]) != event["release"]:
                raise UsageError(
                    f"{event['name']} is release {event['release'][:12]} here, and {names[event['name']][:12]} at "
                    f"{self.name}",
                    expected="one release under one name",
                    run="omicstore release with another name",
                )
        if self._named is not None:
            ours = [line for line in ours if self._concerns(json.loads(line))]
        return [*theirs, *(line for line in ours if line not in theirs)]

    def _concerns(self, event: Mapping[str, Any]) -> bool:
        return event.get("release") == self._body["release"] or event.get("kind") == "patient"


def _local(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None
