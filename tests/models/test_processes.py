from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from models.processes import running

if TYPE_CHECKING:
    from collections.abc import Callable

SCRIPT = """
import os, sys, time
from pathlib import Path

FOLDER = Path(os.environ["FOLDER"])

def work(number):
    pid = os.getpid()
    (FOLDER / f"{number}.begun").write_text(str(pid))
    try:
        time.sleep(60)
    finally:
        (FOLDER / f"{number}.tidy").touch()

if __name__ == "__main__":
    import polars  # which has a handler of its own
    import models.bench.run
    from models.processes import running
    from omicstore.cli import main

    def make(*args, **extra):
        with running(work, range(6), 2) as found:
            list(found)

    models.bench.run.make = make
    sys.argv[1:] = ["bench", "modis-intersim"]
    main()
"""


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def until(what: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [(signal.SIGINT, 130, "interrupted\n"), (signal.SIGTERM, 143, "terminated\n"), (signal.SIGKILL, -9, None)],
)
def test_a_stopped_command_leaves_no_process_and_its_jobs_tidy_up(
    tmp_path: Path, number: signal.Signals, code: int, said: str | None
) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    told = os.environ | {"FOLDER": str(tmp_path)}
    words = [sys.executable, str(script)]
    with subprocess.Popen(words, env=told, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        until(lambda: len(list(tmp_path.glob("*.begun"))) == 2)
        until(lambda: all(file.read_text() for file in tmp_path.glob("*.begun")))
        workers = [int(file.read_text()) for file in tmp_path.glob("*.begun")]
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal does
        else:
            process.send_signal(number)
        assert process.wait(20) == code
        until(lambda: not any(map(lives, workers)))
        assert process.stderr is not None
        assert said in (None, process.stderr.read())  # of a killed one, Python says what it has left
    assert sorted(file.name for file in tmp_path.glob("[0-9]*")) == ["0.begun", "0.tidy", "1.begun", "1.tidy"]


def test_a_job_that_fails_ends_the_others() -> None:
    begun = time.monotonic()
    with pytest.raises(ZeroDivisionError), running(_inverse, [0.0, 60.0, 60.0], 2) as found:
        next(found)
    assert time.monotonic() - begun < 50


def _inverse(seconds: float) -> float:
    time.sleep(seconds)
    return 1 / seconds
