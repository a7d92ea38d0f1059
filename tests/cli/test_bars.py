"""Bars show on a terminal only, count what is done, and are gone when the work is."""

from __future__ import annotations

import io
import re
import sys
import time

import pytest
from rich.console import Console

from omicstore import progress
from omicstore.cli import bars
from omicstore.cli.common import Output


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    monkeypatch.setattr(bars, "PATIENCE", 0.0)
    screen = io.StringIO()
    made = Console(file=screen, force_terminal=True, width=100, highlight=False, markup=False)
    monkeypatch.setattr(Output, "messages", made)
    return screen


def _work() -> None:
    with progress.task("reading a.tsv", 4e6, "bytes") as advance:
        for _ in range(4):
            time.sleep(0.12)
            advance(1e6)


def test_a_terminal_sees_name_amount_and_time_left(terminal: io.StringIO) -> None:
    with progress.shown_by(Output().progress):
        _work()
    seen = terminal.getvalue()
    assert "reading a.tsv" in seen
    assert "/4 MB" in seen
    assert "left" in seen


def test_counts_are_shown_in_their_unit(terminal: io.StringIO) -> None:
    with progress.shown_by(Output().progress), progress.task("building", 2, "cohorts") as advance:
        advance()
        time.sleep(0.25)
    assert "1/2 cohorts" in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())


def test_what_is_quick_shows_nothing(terminal: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "PATIENCE", 30.0)
    with progress.shown_by(Output().progress):
        _work()
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("switches", [{"quiet": True}, {"json": True}])
def test_quiet_and_json_show_nothing(terminal: io.StringIO, switches: dict[str, bool]) -> None:
    with progress.shown_by(Output(**switches).progress):
        _work()
    assert terminal.getvalue() == ""


def test_a_pipe_sees_nothing(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "PATIENCE", 0.0)
    assert not sys.stderr.isatty()
    with progress.shown_by(Output().progress):
        _work()
    assert capsys.readouterr() == ("", "")


def _fail() -> None:
    with progress.task("outer"), progress.task("inner"):
        time.sleep(0.2)
        raise ValueError("damaged")


def test_bars_end_with_the_error_that_stops_the_work(terminal: io.StringIO) -> None:
    with progress.shown_by(Output().progress), pytest.raises(ValueError, match="damaged"):
        _fail()
    seen = terminal.getvalue()
    assert "inner" in seen
    time.sleep(0.3)
    assert terminal.getvalue() == seen


def test_library_code_shows_nothing_unless_asked(capsys: pytest.CaptureFixture[str]) -> None:
    _work()
    assert capsys.readouterr() == ("", "")
