"""HTTP with patience: what a busy or failing server cannot do now is asked for again, ever more slowly.

httpx speaks the protocol; only what it leaves open is here: what is worth another try, and after how long.
"""

from __future__ import annotations

import random
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Self, TypeVar

from omicstore.errors import FetchError, MissingExtraError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Mapping

    import httpx

__all__ = ["Busy", "Head", "Http", "Lost", "Stopped"]

T = TypeVar("T")

#: Seconds before the first new try; doubled before each further one, up to the longest.
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
#: How often in a row nothing may come before we give up: for a list or a size, which a person waits for; for a file.
ASKED, TRIES = 4, 6
#: The longest pause (seconds) that a server may ask for and get.
PATIENCE = 600.0
#: Seconds to wait for a connection, and for the next bytes on one.
CONNECT, READ = 30.0, 60.0

_BUSY = (408, 425, 429, 500, 502, 503, 504)


class Stopped(Exception):  # noqa: N818 - no error: the user stopped the fetch
    """The fetch was stopped from elsewhere."""


class Lost(Exception):  # noqa: N818 - worth another try, so no error yet
    """The connection broke, or the body ended too early."""


class Busy(Lost):
    """The server asks to come back later.

    Parameters
    ----------
    what
        What it said.
    after
        In how many seconds; None where it does not say.
    """

    def __init__(self, what: str, after: float | None = None) -> None:
        super().__init__(what)
        self.after = after


@dataclass(frozen=True, slots=True)
class Head:
    """What a server says of a file without sending it."""

    size: int | None
    etag: str | None


class Http:
    """One client for all requests of a fetch, used from several threads.

    Parameters
    ----------
    stop
        Set from elsewhere to end all waiting and reading.

    Raises
    ------
    MissingExtraError
        If httpx is not installed.
    """

    def __init__(self, stop: threading.Event) -> None:
        try:
            import httpx
        except ModuleNotFoundError:
            raise MissingExtraError("httpx", "fetch") from None

        self.stop = stop
        self._errors = (httpx.TransportError, httpx.DecodingError)
        self._wrong = (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects)
        self._rng = random.Random()  # noqa: S311 - spreads the tries of many clients; nothing secret
        self._client = httpx.Client(
            timeout=httpx.Timeout(CONNECT, read=READ),
            limits=httpx.Limits(max_connections=None),
            follow_redirects=True,
            # A file is stored as it is named: .gz stays .gz, and a length is the length of what is stored.
            headers={"User-Agent": "omicstore", "Accept-Encoding": "identity"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.close()

    def json(self, url: str, body: Mapping[str, Any] | None = None) -> Any:
        """Return the JSON that a URL answers with; `body` is posted."""

        def ask() -> Any:
            with self.stream(url, body=body) as response:
                response.read()
                try:
                    return response.json()
                except ValueError:
                    kind = response.headers.get("content-type", "nothing")
                    raise FetchError(
                        f"{url} answers with {kind}, which is no JSON",
                        expected="the API of the portal",
                        run="check --endpoint, or whether a proxy or a login page stands in between",
                    ) from None

        return self.patiently(url, ask, tries=ASKED)

    def head(self, url: str) -> Head | None:
        """Return what the server says of a file; None where it has none of this name.

        Object stores that do not list their files say 403 for one that is not there.
        """

        def ask() -> Head | None:
            with self.stream(url, method="HEAD", absent=(403, 404)) as response:
                if response.status_code in (403, 404):
                    return None
                return Head(content_length(response), strong_etag(response))

        return self.patiently(url, ask, tries=ASKED)

    @contextmanager
    def stream(
        self,
        url: str,
        *,
        method: str | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        absent: tuple[int, ...] = (),
    ) -> Iterator[httpx.Response]:
        """Open a response; its body is still to be read.

        Raises
        ------
        Lost
            If the connection breaks, here or while the block reads.
        Busy
            If the server is busy.
        FetchError
            If it refuses; statuses in `absent` are left to the caller.
        """
        how = method or ("GET" if body is None else "POST")
        try:
            with self._client.stream(how, url, json=body, headers=dict(headers or {})) as response:
                if response.status_code in _BUSY:
                    raise Busy(f"it answers {_status(response)}", retry_after(response))
                if response.status_code >= 400 and response.status_code not in absent:
                    raise _refused(url, response)
                yield response
        except self._wrong as error:
            raise FetchError(
                f"{url} cannot be opened: {error}", expected="an http or https URL", run="check --endpoint"
            ) from None
        except self._errors as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise _distrusted(url, error) from None
            raise Lost(_why(error)) from None

    def patiently(
        self, what: str, ask: Callable[[], T], progressed: Callable[[], bool] = lambda: False, tries: int = TRIES
    ) -> T:
        """Do something that may fail for now, until it is done.

        Parameters
        ----------
        what
            The URL or file, for messages.
        ask
            Raises `Lost` or `Busy` where it is worth another try.
        progressed
            Whether something came since it was last called; if so, the patience starts anew.
        tries
            How often nothing may come in a row.

        Raises
        ------
        FetchError
            If nothing came so often.
        Stopped
            If the fetch was stopped while waiting.
        """
        failed = 0
        while True:
            if self.stop.is_set():
                raise Stopped
            try:
                return ask()
            except Lost as lost:
                failed = 1 if progressed() else failed + 1
                after = lost.after if isinstance(lost, Busy) else None
                if failed >= tries or (after or 0) > PATIENCE:
                    raise _given_up(what, lost, failed, after) from None
                if self.stop.wait(self._pause(failed) if after is None else after):
                    raise Stopped from None

    def _pause(self, failed: int) -> float:
        """Return the seconds before another try: exponential, with half of it left to chance."""
        longest: float = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (failed - 1))
        return longest * self._rng.uniform(0.5, 1.0)


def content_length(response: httpx.Response) -> int | None:
    """Return the length of the body as the server says; None where it does not."""
    text = response.headers.get("content-length", "")
    return int(text) if text.isdigit() else None


def strong_etag(response: httpx.Response) -> str | None:
    """Return the server's mark of this version of the file, if it vouches for every byte."""
    text = response.headers.get("etag", "")
    return text if text.startswith('"') else None


def retry_after(response: httpx.Response) -> float | None:
    """Return the pause that a server asks for, in seconds, from either form of Retry-After."""
    text = response.headers.get("retry-after", "").strip()
    if text.isdigit():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


def _status(response: httpx.Response) -> str:
    return f"{response.status_code} {response.reason_phrase}".strip()


def _why(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _distrusted(url: str, error: Exception) -> FetchError:
    """Return the error for a certificate that nobody vouches for: another try would not mend it."""
    return FetchError(
        f"{url} cannot prove who it is ({_why(error)})",
        expected="a certificate that this machine trusts",
        run="if a proxy of your institution stands in between, name its certificates: export SSL_CERT_FILE=ca.pem",
    )


def _refused(url: str, response: httpx.Response) -> FetchError:
    """Return the error for a refusal, with the portal's own words where it has some."""
    said = ""
    try:
        response.read()
        message = response.json().get("message")
        said = f" ({' '.join(message.split())[:200]})" if isinstance(message, str) else ""
    except (ValueError, AttributeError):
        said = ""  # no JSON, or no object
    return FetchError(
        f"{url} answers {_status(response)}{said}",
        expected="an open-access file or endpoint",
        run="check the names and --endpoint; the portal may have moved or withdrawn it",
    )


def _given_up(what: str, lost: Lost, failed: int, after: float | None) -> FetchError:
    if after is not None and after > PATIENCE:
        return FetchError(
            f"{what}: the server asks to wait {after:,.0f} seconds",
            expected=f"at most {PATIENCE:,.0f}",
            run="run the same command later; what came is kept",
        )
    return FetchError(
        f"{what}: nothing came in {failed} tries ({lost})",
        expected="an answer",
        run="check the network and --endpoint, and run the same command again; what came is kept",
    )
