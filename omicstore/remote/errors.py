"""What goes wrong between machines, in words that say what to run."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from omicstore.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["few", "no_such_place", "remote_errors"]

#: So many names are listed in a message.
_NAMED = 5
_KEYS = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or run dvc remote modify for a remote of DVC"
#: Names of the classes of botocore's errors, by what they mean.
_NO_KEYS = {"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "CredentialRetrievalError"}
_OFFLINE = {
    "EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ConnectionClosedError", "ConnectionError",
    "ClientConnectorError", "ClientConnectorDNSError", "gaierror", "ConnectionRefusedError", "TimeoutError",
    "HTTPClientError", "ProxyConnectionError", "ServerDisconnectedError",
}  # fmt: skip


@contextmanager
def remote_errors(name: str) -> Iterator[None]:
    """Turn what a file system raises into one message.

    Parameters
    ----------
    name
        What to call the place.

    Raises
    ------
    StoreError
        Instead of the file system's own error.
    FileNotFoundError
        As it was raised, unless it is the bucket that is absent: only the caller knows what a file was for.
    """
    try:
        yield
    except FileNotFoundError as error:
        if not no_such_place(error):
            raise
        raise StoreError(
            f"{name}: {_line(error)}", expected="a bucket that is there", run="make it, or correct its name"
        ) from None
    except _of_clouds() as error:
        raise _told(name, error) from None


def _told(name: str, error: Exception) -> Exception:
    """Return the error to raise instead."""
    kinds = {type(e).__name__ for e in _chain(error)}
    if kinds & _NO_KEYS:
        return StoreError(f"{name}: there are no credentials ({_line(error)})", run=_KEYS)
    if isinstance(error, PermissionError):
        return StoreError(f"{name} refuses access: {_line(error)}", expected="credentials that may", run=_KEYS)
    if kinds & _OFFLINE:
        return StoreError(
            f"{name} cannot be reached: {_line(error)}",
            expected="a connection; what came already is kept",
            run="the same command again, once there is one",
        )
    if isinstance(error, OSError) and error.errno is not None and error.filename is not None:
        return error  # of this machine: a full disk, a folder that cannot be written to
    return StoreError(f"{name}: {_line(error)}", expected="what came already is kept", run="the same command again")


def _chain(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def _of_clouds() -> tuple[type[Exception], ...]:
    """Return the roots of what reading and writing raise, with those of the packages for buckets that are loaded."""
    found: list[type[Exception]] = [OSError]
    if botocore := sys.modules.get("botocore.exceptions"):
        found += [botocore.BotoCoreError, botocore.ClientError]
    if aiohttp := sys.modules.get("aiohttp"):
        found.append(aiohttp.ClientError)
    return tuple(found)


def no_such_place(error: Exception) -> bool:
    """Return whether it is the bucket that is absent, and not a file in it."""
    return "bucket does not exist" in str(error)


def _line(error: Exception) -> str:
    text = " ".join(str(error).split()).rstrip(".")
    return text or type(error).__name__


def few(paths: Sequence[str], what: str | None = None) -> str:
    """Return the first names of several and how many more there are; with `what`, after how many they are.

    Examples
    --------
    >>> few(["a", "b"]), few(["a"], " of v1")
    ('a, b', '1 file of v1: a')
    """
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    said = ", ".join(sorted(paths)[:_NAMED]) + more
    return said if what is None else f"{len(paths):,} file{'' if len(paths) == 1 else 's'}{what}: {said}"
