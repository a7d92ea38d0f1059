"""Work that is shared out to processes."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["one_thread_each", "running"]

Job = TypeVar("Job")
Found = TypeVar("Found")


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Let processes that start meanwhile work on one thread: layers this small gain nothing from more."""
    wanted = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def running(work: Callable[[Job], Found], jobs: Sequence[Job], workers: int) -> Iterator[Iterator[Found]]:
    """Work through jobs while the body of the ``with`` does something else; give what they find, in their order.

    Parameters
    ----------
    work
        A function that a new process can import.
    jobs
        What it is called with.
    workers
        Processes, each with one thread, as this one has meanwhile: threads that wait for each other on cores that are
        all taken cost many times the work. With one, the work is done here, whenever the next result is asked for.

    Examples
    --------
    >>> with running(abs, [-1, 2, -3], 1) as found:
    ...     list(found)
    [1, 2, 3]
    """
    if workers == 1:
        yield map(work, jobs)
        return
    from threadpoolctl import threadpool_limits

    with (
        one_thread_each(),
        threadpool_limits(1),
        ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool,
    ):
        try:
            yield pool.map(work, jobs)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
