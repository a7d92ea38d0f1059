"""The frame of the command line: what every command shares, and how errors end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest
import typer
from typer.testing import CliRunner

import omicstore.cli as cli
from omicstore.cli.common import Output, command, find_store, find_study, subcommands
from omicstore.cli.group import LazyGroup
from omicstore.errors import StudyError

RUN = CliRunner()
HEAVY = (
    "polars", "duckdb", "pyarrow", "numpy", "torch", "lightning", "great_expectations", "dvc", "pandas", "scipy", "httpx",
    "anndata", "mudata", "transformers", "sentence_transformers", "sklearn", "skimage", "tiffslide", "PIL", "matplotlib",
)  # fmt: skip


def omicstore(*args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the installed command line in a process of its own."""
    code = "from omicstore.cli import main; main()"
    return subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, cwd=cwd, check=False)


@command(warns=True)
def sample(out: Output, *, fail: str = "", warn: bool = False) -> None:
    """Do as the test says."""
    failures = {
        "value": ValueError("two\n lines"),
        "interrupt": KeyboardInterrupt(),
        "study": StudyError("no study", run="init"),
        "extra": ModuleNotFoundError("No module named 'torch.nn'", name="torch.nn"),
        "module": ModuleNotFoundError("No module named 'x'", name="x"),
    }
    if fail:
        raise failures[fail]
    if warn:
        out.warn("something is odd")
    out.note("a note")
    out.result({"done": True}, lambda: out.text("done"))


stage = command()(lambda out: out.warn("something is odd"))
sub = subcommands("Two things.")
sub.command("one")(command()(lambda out: out.text("one")))
sub.command("two")(command()(lambda out: out.text("two")))


@pytest.fixture
def app() -> typer.Typer:
    """A command line of three commands that live in this module."""
    module = sys.modules[__name__]
    sys.modules["commands_of_test_frame"] = module

    class Root(LazyGroup):
        table: ClassVar = {
            "sample": ("commands_of_test_frame:sample", "Do as the test says."),
            "stage": ("commands_of_test_frame:stage", "A stage."),
            "sub": ("commands_of_test_frame:sub", "Two things."),
        }
        entry_points = "omicstore.no_such_group"

    made = typer.Typer(cls=Root, name="omicstore", rich_markup_mode=None)
    made.callback()(lambda: None)
    return made


class TestStart:
    def test_help_imports_nothing_heavy(self) -> None:
        code = (
            "import sys\n"
            "from omicstore.cli import main\n"
            "try:\n    main()\n"
            f"except SystemExit:\n    print([m for m in {HEAVY!r} if m in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == "[]"

    def test_help_names_every_command(self) -> None:
        shown = RUN.invoke(cli.app, ["--help"]).stdout
        for name, (_, help_line) in cli.COMMANDS.items():
            assert f"  {name} " in shown
            assert help_line[:30] in shown

    def test_called_bare_it_shows_the_help(self) -> None:
        assert RUN.invoke(cli.app, []).stdout == RUN.invoke(cli.app, ["--help"]).stdout

    def test_version(self) -> None:
        assert RUN.invoke(cli.app, ["--version"]).stdout.startswith("omicstore 0.")

    @pytest.mark.parametrize("name", cli.COMMANDS)
    def test_every_command_loads_and_takes_the_shared_options(self, name: str) -> None:
        done = RUN.invoke(cli.app, [name, "--help"])
        assert done.exit_code == 0, done.stderr
        if "COMMAND [ARGS]" not in done.stdout:
            for option in ("--json", "--quiet", "--no-color", "--verbose", "--strict"):
                assert option in done.stdout

    def test_a_command_of_a_package_is_found(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(LazyGroup, "_found", lambda self: {"further": "tests_no_module:f"})
        assert "further" in RUN.invoke(cli.app, ["--help"]).stdout


class TestCompletion:
    @pytest.mark.parametrize(
        ("words", "expected"),
        [("omicstore qu", ["query"]), ("omicstore ", list(cli.COMMANDS)), ("omicstore query --mod", ["--modalities"])],
    )
    def test_names_and_options(self, words: str, expected: list[str]) -> None:
        env = {"_OMICSTORE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        done = RUN.invoke(cli.app, [], env=env, prog_name="omicstore")
        assert done.stdout.split() == expected

    def test_a_command_whose_package_is_absent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(LazyGroup, "_found", lambda self: {})
        done = RUN.invoke(cli.app, ["train"], prog_name="omicstore")
        assert (done.exit_code, done.stderr.partition(".")[0]) == (2, "error: the command train is not installed")


class TestWrongUsage:
    def test_a_mistyped_command_names_the_nearest(self) -> None:
        done = omicstore("qurey")
        assert (done.returncode, done.stdout) == (2, "")
        assert (
            done.stderr
            == "error: unknown command 'qurey'. Expected one of query, sources, price. To mend it: see omicstore --help\n"
        )

    def test_a_mistyped_sub_command_names_the_nearest(self, app: typer.Typer) -> None:
        done = RUN.invoke(app, ["sub", "tow"], prog_name="omicstore")
        assert done.exit_code == 2
        assert "unknown command 'tow'. Expected one of two." in done.stderr

    @pytest.mark.parametrize("option", ["--cohrt", "--cohrt=BRCA"])
    def test_a_mistyped_option_names_the_nearest(self, option: str) -> None:
        done = RUN.invoke(cli.app, ["query", option], prog_name="omicstore")
        assert (done.exit_code, done.stdout) == (2, "")
        assert done.stderr.startswith("error: unknown option '--cohrt'. Expected one of --cohort")
        assert done.stderr.endswith("To mend it: see omicstore query --help\n")

    def test_a_missing_option_is_named(self) -> None:
        done = RUN.invoke(cli.app, ["export"], prog_name="omicstore")
        assert done.exit_code == 2
        assert "--out" in done.stderr


class TestEnds:
    def test_done(self, app: typer.Typer) -> None:
        done = RUN.invoke(app, ["sample"])
        assert (done.exit_code, done.stdout, done.stderr) == (0, "done\n", "a note\n")

    def test_quiet_leaves_out_notes(self, app: typer.Typer) -> None:
        done = RUN.invoke(app, ["sample", "--quiet"])
        assert (done.stdout, done.stderr) == ("done\n", "")

    def test_json_is_one_object_on_stdout(self, app: typer.Typer) -> None:
        assert json.loads(RUN.invoke(app, ["sample", "--json"]).stdout) == {"done": True}

    def test_a_mistake_of_the_user_is_one_message(self, app: typer.Typer) -> None:
        done = RUN.invoke(app, ["sample", "--fail", "study"])
        assert (done.exit_code, done.stdout, done.stderr) == (1, "", "error: no study. To mend it: init\n")

    def test_anything_else_is_one_line(self, app: typer.Typer) -> None:
        done = RUN.invoke(app, ["sample", "--fail", "value"])
        assert done.exit_code == 1
        assert done.stderr == "error: ValueError: two lines (run with -v for the traceback)\n"

    def test_a_package_that_is_not_installed(self, app: typer.Typer) -> None:
        done = RUN.invoke(app, ["sample", "--fail", "extra"])
        assert done.exit_code == 2
        assert done.stderr.startswith("error: this needs the package torch, which is not installed.")
        assert "pip install 'omicstore[models]'" in done.stderr
        assert RUN.invoke(app, ["sample", "--fail", "module"]).exit_code == 1

    def test_verbose_shows_the_traceback(self, app: typer.Typer) -> None:
        done = RUN.invoke(app, ["sample", "--fail", "value", "-v"])
        assert "Traceback" in done.stderr
        assert done.stderr.endswith("error: ValueError: two lines\n")

    def test_interrupted(self, app: typer.Typer) -> None:
        done = RUN.invoke(app, ["sample", "--fail", "interrupt"])
        assert (done.exit_code, done.stderr) == (130, "interrupted\n")

    @pytest.mark.parametrize(("words", "code"), [(["sample", "--warn"], 3), (["stage"], 0)])
    def test_warnings(self, app: typer.Typer, words: list[str], code: int) -> None:
        done = RUN.invoke(app, words)
        assert done.exit_code == code
        assert "warning: something is odd" in done.stderr

    @pytest.mark.parametrize("words", [["sample", "--warn"], ["stage"]])
    def test_strict_makes_a_warning_a_failure(self, app: typer.Typer, words: list[str]) -> None:
        assert RUN.invoke(app, [*words, "--strict"]).exit_code == 1

    def test_a_reader_that_has_seen_enough_is_no_error(self) -> None:
        code = "from omicstore.cli import main; main()"
        head = subprocess.Popen([sys.executable, "-c", code, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert head.stdout is not None
        assert head.stderr is not None
        head.stdout.close()
        assert head.stderr.read() == b""
        head.stderr.close()
        assert head.wait() == 1


class TestColour:
    def test_none_when_asked_for_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        assert Output().console.color_system is not None
        assert Output(no_color=True).console.color_system is None
        monkeypatch.setenv("NO_COLOR", "1")
        assert Output().console.color_system is None

    def test_none_when_piped(self) -> None:
        assert "\x1b" not in omicstore("--help").stdout


class TestStudy:
    def test_the_nearest_upward(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "params.yaml").touch()
        deep = tmp_path / "a" / "b"
        deep.mkdir(parents=True)
        assert find_study(deep) == tmp_path
        monkeypatch.chdir(deep)
        assert find_store(None) == str(tmp_path / "data" / "store")
        assert find_store("s3://bucket/store") == "s3://bucket/store"

    def test_none(self, tmp_path: Path) -> None:
        done = omicstore("query", cwd=tmp_path)
        assert done.returncode == 1
        assert f"there is no params.yaml in {os.fspath(tmp_path)} or above" in done.stderr
        assert "omicstore init DIR" in done.stderr
