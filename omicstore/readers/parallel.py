"""Work on the pieces of a file in several threads, in order and in bounded memory."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

__all__ = ["WORKERS", "in_order"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

#: More threads than this would wait for the decompressor, which works in one.
WORKERS = min(4, os.cpu_count() or 1)


def in_order(function: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
    """Yield ``function(item)`` for each item, in the order of the items; a few are worked on meanwhile.

    The first error in that order is raised, as it would be without threads.

    Examples
    --------
    >>> list(in_order(abs, [-1, 2, -3]))
    [1, 2, 3]
    """
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="omicstore-parse") as pool:
        waiting: deque[Future[_Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > WORKERS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
