"""Work that is shared out to processes, which end when whoever started them does."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from multiprocessing.connection import Connection

__all__ = ["one_thread_each", "processes", "running"]

Job = TypeVar("Job")
Found = TypeVar("Found")

#: Seconds in which a job that is stopped may tidy up.
GRACE = 3.0

#: In a process of the pool: whether it is to end.
_ended = threading.Event()


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


class _Pool(ProcessPoolExecutor):
    """A pool whose processes leave Ctrl-C to the one that started them, and whose jobs can be stopped."""

    def submit(self, work: Callable[..., Found], /, *args: Any, **extra: Any) -> Future[Found]:
        # A process starts here and inherits what is blocked: Ctrl-C reaches all that the terminal runs.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return super().submit(_work, work, *args, **extra)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def processes(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Start processes of one thread each; where the body of the ``with`` does not end well, stop them and their jobs.

    A job that is stopped sees ``SystemExit``, as if the process had been terminated, and has `GRACE` seconds. So it is
    where this process is killed.

    Parameters
    ----------
    workers
        How many.
    """
    # Polars has Ctrl-C wait until whatever waits is done.
    signal.siginterrupt(signal.SIGINT, True)  # noqa: FBT003 - the library's signature
    context = get_context("spawn")
    # Nothing is ever sent: that the other end is closed, by us or by our death, is the message.
    told, teller = context.Pipe(duplex=False)
    with (
        told,
        teller,
        one_thread_each(),
        _Pool(workers, mp_context=context, initializer=_start, initargs=(told,)) as pool,
    ):
        try:
            yield pool
        except BaseException:
            teller.close()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


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

    with threadpool_limits(1), processes(workers) as pool:
        yield pool.map(work, jobs)


def _start(told: Connection) -> None:
    """Prepare a process to end with the one that started it."""

    def end(number: int, frame: Any) -> None:  # noqa: ARG001 - the signature is the system's
        if _ended.is_set():  # what tidies up is not to be disturbed
            return
        _ended.set()
        threading.Thread(target=_leave_soon, daemon=True).start()
        raise SystemExit(128 + number)

    def watch() -> None:
        told.poll(None)
        os.kill(os.getpid(), signal.SIGTERM)
        _leave_soon()  # also where the handler cannot run, in a long call of a library

    signal.signal(signal.SIGTERM, end)
    threading.Thread(target=watch, daemon=True).start()


def _leave_soon() -> None:
    time.sleep(GRACE)
    os._exit(128 + signal.SIGTERM)


def _work(work: Callable[..., Found], *args: Any, **extra: Any) -> Found:
    try:
        return work(*args, **extra)
    finally:
        if _ended.is_set():  # the pool would hand this process the next job
            os._exit(128 + signal.SIGTERM)
