"""Progress of long work, told by whoever does it and shown by whoever started it.

Library code says what it is at::

    with progress.task("reading BRCA.tsv.gz", total=size, unit="bytes") as advance:
        advance(len(block))

and shows nothing. The command line has the tasks shown with `shown_by`.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

__all__ = ["Advance", "Show", "shown_by", "silent", "task"]


class Advance(Protocol):
    """Says that `n` more units are done; safe to call from any thread."""

    def __call__(self, n: float = 1) -> None:
        """Say so."""


class Show(Protocol):
    """Shows a task while a block runs, and yields what advances it."""

    def __call__(self, what: str, total: float | None, unit: str) -> AbstractContextManager[Advance]:
        """Show it."""


_show: ContextVar[Show | None] = ContextVar("omicstore_progress", default=None)


@contextmanager
def shown_by(show: Show) -> Iterator[None]:
    """Have the tasks of this block (and thread) shown."""
    token = _show.set(show)
    try:
        yield
    finally:
        _show.reset(token)


def task(what: str, total: float | None = None, unit: str = "") -> AbstractContextManager[Advance]:
    """Say what is being done, and how much of it there is.

    Parameters
    ----------
    what
        A few words: ``reading BRCA.tsv.gz``.
    total
        How many units there are, or None where it cannot be known.
    unit
        ``bytes`` for a size; else what is counted, in the plural.

    Examples
    --------
    >>> with task("counting", total=2) as advance:
    ...     advance()
    ...     advance()
    """
    show = _show.get()
    return nullcontext(silent) if show is None else show(what, total, unit)


def silent(n: float = 1) -> None:
    """Show nothing."""
    del n
