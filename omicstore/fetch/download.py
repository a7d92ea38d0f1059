"""One file from a server to its place: resumed where it stopped, checked, and moved there whole.

What has come so far lies in ``NAME.part``, and the server's mark of the version in ``NAME.part.etag``.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from omicstore.errors import FetchError
from omicstore.fetch.http import Lost, Stopped, content_length, strong_etag

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from omicstore.fetch.http import Http
    from omicstore.fetch.plan import Item
    from omicstore.progress import Advance

__all__ = ["digest", "download", "part_of"]

#: Bytes read from disk at a time.
CHUNK = 1 << 20

_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class _Wrong(Exception):  # noqa: N818 - asked for once more, so no error yet
    """The file came whole and is not the one that was promised."""


def part_of(target: Path) -> Path:
    """Return where a file lies as long as it is not whole."""
    return target.with_name(target.name + ".part")


def digest(path: Path, algorithm: str, stop: Http | None = None) -> str:
    """Return the checksum of a file (hexadecimal).

    Raises
    ------
    Stopped
        If the fetch was stopped meanwhile.
    """
    made = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as handle:
        while block := handle.read(CHUNK):
            if stop is not None and stop.stop.is_set():
                raise Stopped
            made.update(block)
    return made.hexdigest()


def download(http: Http, item: Item, target: Path, advance: Advance) -> str:
    """Bring one file to its place.

    Parameters
    ----------
    http
        The client.
    item
        The file.
    target
        Its place. What lay there is replaced once the new file is whole and checked.
    advance
        Told of each byte, and with a negative number of those that were in vain.

    Returns
    -------
    str
        Its checksum: md5 where the portal gives one, else sha256.

    Raises
    ------
    FetchError
        If the server refuses, does not answer, or twice gave another file than the one it promised.
    Stopped
        If the fetch was stopped; what came so far stays.
    """
    part = part_of(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    if item.body is not None or (item.etag is not None and _mark(part) not in (None, item.etag)):
        _forget(part)  # written anew for each request, or another version by now: two halves need not fit
    counted = _Counted(advance)
    counted.add(_size(part))
    wrong = _Wrong()
    for _ in range(2):
        try:
            _transfer(http, item, part, counted)
            found = _checked(http, item, part)
        except _Wrong as error:
            wrong = error
            counted.back()
            _forget(part)
        else:
            part.replace(target)
            _forget(part)
            return found
    raise FetchError(
        f"{item.path} came twice and both times {wrong}",
        expected="the file that the portal's own list promises",
        run=f"run the same command later; if it stays so, report {item.url} to the portal",
    )


class _Counted:
    """Advances a bar, and takes back what was in vain."""

    def __init__(self, advance: Advance) -> None:
        self._advance, self.total = advance, 0

    def add(self, n: int) -> None:
        self.total += n
        self._advance(n)

    def back(self) -> None:
        self.add(-self.total)


def _transfer(http: Http, item: Item, part: Path, counted: _Counted) -> None:
    """Fetch until the part is whole."""
    most = _size(part)

    def progressed() -> bool:
        nonlocal most
        most, before = max(most, _size(part)), most
        return most > before

    http.patiently(item.path, lambda: _go_on(http, item, part, counted), progressed)


def _go_on(http: Http, item: Item, part: Path, counted: _Counted) -> None:
    """Make one request for what is still missing."""
    have, mark = _size(part), _mark(part)
    if have and mark is None and item.md5 is None:
        have = 0  # nothing could tell whether the rest is of the same version
    if have and item.size is not None and have == item.size:
        return
    headers = {"Range": f"bytes={have}-"} if have else {}
    if have and mark is not None:
        headers["If-Range"] = mark
    with http.stream(item.url, body=item.body, headers=headers, absent=(416,)) as response:
        start, whole = _extent(response)
        if (
            response.status_code == 416
            or start not in (0, have)
            or (start and mark not in (None, strong_etag(response)))
        ):
            counted.back()
            _forget(part)
            raise Lost("the rest of the file does not fit what came before")
        if start == 0:
            counted.back()
            _remember(part, strong_etag(response))
        with part.open("ab" if start else "wb", buffering=0) as handle:
            for chunk in response.iter_raw():
                handle.write(chunk)
                counted.add(len(chunk))
                if http.stop.is_set():
                    raise Stopped
    size, expected = _size(part), item.size if item.size is not None else whole
    if expected is not None and size < expected:
        raise Lost(f"the file ended after {size:,} of {expected:,} bytes")
    if expected is not None and size > expected:
        raise _Wrong(f"had {size:,} bytes instead of {expected:,}")


def _extent(response: httpx.Response) -> tuple[int, int | None]:
    """Return where in the file the body begins, and the length of the whole file if the server says."""
    if response.status_code != 206:
        return 0, content_length(response)
    match = _RANGE.fullmatch(response.headers.get("content-range", ""))
    if match is None:
        return -1, None
    return int(match[1]), int(match[2]) if match[2] != "*" else None


def _checked(http: Http, item: Item, part: Path) -> str:
    if item.md5 is None:
        return digest(part, "sha256", http)
    found = digest(part, "md5", http)
    if found != item.md5.lower():
        raise _Wrong(f"had the md5 {found} instead of {item.md5.lower()}")
    return found


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _etag_file(part: Path) -> Path:
    return part.with_name(part.name + ".etag")


def _mark(part: Path) -> str | None:
    path = _etag_file(part)
    return path.read_text(encoding="utf-8") if path.exists() else None


def _remember(part: Path, mark: str | None) -> None:
    if mark is None:
        _etag_file(part).unlink(missing_ok=True)
    else:
        _etag_file(part).write_text(mark, encoding="utf-8")


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _etag_file(part).unlink(missing_ok=True)
