"""What all commands share: how one is declared, where it prints, which store and study it means.

A command is a plain function in a thin file of its own::

    # omicstore/cli/plan.py
    from typing import Annotated

    import typer

    from omicstore.cli.common import DryRun, Output, command, find_study

    @command()
    def plan(
        out: Output, *, cohort: Annotated[str, typer.Option(help="Only this one.")] = "", dry_run: DryRun = False
    ) -> None:
        \"\"\"Say what each cohort is made of.\"\"\"      # the help text
        from omicstore.build import plan as make_plan   # heavy imports inside the function

        changed = make_plan(find_study())
        out.result(changed, lambda: out.text(f"{len(changed)} cohorts"))

and one line in ``omicstore.cli.COMMANDS``. `command` adds --json, --quiet, --no-color, -v and --strict, and passes an
`Output` as the first parameter; the other parameters are Typer's, keyword-only. Options that several commands take
are the fields of a dataclass (`omicstore.cli.asking.Asking`), which stands as one parameter. A command with
sub-commands is ``app = subcommands("help text")``, with ``@app.command()`` above ``@command()``. Functions raise
`OmicstoreError` for what a user can mend and return nothing; exit codes are made here and in `omicstore.cli.group`. A
package that adds commands names such a function as an entry point of the group ``omicstore.commands``.
"""

from __future__ import annotations

import functools
import inspect
import json as jsonlib
import os
import sys
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omicstore.cli.group import Group
from omicstore.errors import OmicstoreError, StudyError
from omicstore.progress import shown_by, silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.console import Console, RenderableType

    from omicstore.cli.bars import Bars
    from omicstore.progress import Advance

__all__ = [
    "DryRun",
    "Output",
    "ReleaseOption",
    "StoreOption",
    "StudyMissingError",
    "command",
    "counted",
    "find_store",
    "find_study",
    "read_section",
    "subcommands",
]

#: ``--store``, for commands that read a store: pass it to `find_store`.
StoreOption = Annotated[
    str | None,
    typer.Option("--store", metavar="PATH|URL", help="The store; data/store of the study here or above where absent."),
]

#: ``--release``, for commands that can read an older release: pass it to `omicstore.open`.
ReleaseOption = Annotated[
    str | None,
    typer.Option("--release", metavar="NAME", help="A release by name, id, latest or stable. [what is there now]"),
]

#: ``--dry-run``, for commands that write: say what would be written, write nothing.
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be written, and write nothing.")]

_SHARED: dict[str, Any] = {
    "json": Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="No notes and no progress, only warnings and errors.")],
    "no_color": Annotated[bool, typer.Option("--no-color", help="No colours; NO_COLOR=1 does the same.")],
    "verbose": Annotated[bool, typer.Option("--verbose", "-v", help="Show the traceback of an error.")],
    "strict": Annotated[bool, typer.Option("--strict", help="A warning is a failure: exit code 1.")],
}


class StudyMissingError(StudyError):
    """The working folder lies in no study."""


#: As wide as any table when the output is no terminal.
_PIPED = 1000


class WarnedError(OmicstoreError):
    """A command warned, and --strict was given."""


class Output:
    """Where a command prints: results on stdout, messages on stderr.

    Parameters
    ----------
    json
        Print one JSON object on stdout instead of what a person reads.
    quiet
        No notes and no progress on stderr.
    no_color
        No escape sequences, also on a terminal.
    strict
        A warning is a failure.
    """

    def __init__(
        self, *, json: bool = False, quiet: bool = False, no_color: bool = False, strict: bool = False
    ) -> None:
        self.json, self.quiet, self.strict = json, quiet, strict
        self.no_color = no_color or bool(os.environ.get("NO_COLOR"))
        self.warned = False

    @functools.cached_property
    def console(self) -> Console:
        """The rich console on stdout."""
        return self._console(stderr=False)

    @functools.cached_property
    def messages(self) -> Console:
        """The rich console on stderr."""
        return self._console(stderr=True)

    def _console(self, *, stderr: bool) -> Console:
        from rich.console import Console

        color = None if self.no_color else "auto"
        made = Console(stderr=stderr, color_system=color, highlight=False, markup=False, emoji=False)  # type: ignore[arg-type]
        if not (made.is_terminal or os.environ.get("COLUMNS")):
            made.width = _PIPED  # a line of a table stays a line for grep
        return made

    def result(self, body: Mapping[str, Any], show: Callable[[], None]) -> None:
        """Print a command's result: `body` as one JSON object with --json, else whatever `show` prints."""
        if self.json:
            sys.stdout.write(jsonlib.dumps(body, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
        else:
            show()

    def print(self, *things: RenderableType) -> None:
        """Print rich renderables (tables, `rich.text.Text`) on stdout; in a pipe, lines end where their text does."""
        if self.console.is_terminal:
            self.console.print(*things)
            return
        with self.console.capture() as captured:
            self.console.print(*things)
        for line in captured.get().splitlines():
            self.console.out(line.rstrip(), highlight=False)

    def text(self, line: str = "", *, style: str | None = None) -> None:
        """Print a line on stdout as it is, without wrapping or markup."""
        self.console.print(line, style=style, soft_wrap=True)

    def note(self, line: str) -> None:
        """Say something on stderr that --quiet leaves out."""
        if not self.quiet:
            self.messages.print(line, soft_wrap=True)

    def warn(self, line: str) -> None:
        """Say on stderr what the user ought to know of the result; see the exit codes of `command`."""
        self.warned = True
        self.messages.print(f"warning: {line}", style="yellow", soft_wrap=True)

    def stop_if_strict(self) -> None:
        """Raise if there was a warning and --strict; called before something is written, and when a command ends."""
        if self.warned and self.strict:
            raise WarnedError("there were warnings, and --strict makes a warning a failure")

    @contextmanager
    def progress(self, what: str, total: float | None = None, unit: str = "") -> Iterator[Advance]:
        """Show progress with the time left on stderr, if that is a terminal; yields ``advance(n=1)``."""
        if self.quiet or self.json or not self.messages.is_terminal:
            yield silent
            return
        with self._bar.task(what, total, unit) as advance:
            yield advance

    @functools.cached_property
    def _bar(self) -> Bars:
        from omicstore.cli.bars import Bars

        return Bars(self.messages)


def command(*, warns: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Declare a function as a command.

    Parameters
    ----------
    warns
        Whether a warning ends in exit code 3 (query, export, info, sources, split check, audit). A command that is a
        stage of dvc.yaml must not, since DVC stops at anything but 0. With --strict every warning ends in exit code 1.
    """

    def declare(function: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(function, eval_str=True)
        _, *rest = signature.parameters.values()  # the first one is the Output
        groups: dict[str, Any] = {p.name: p.annotation for p in rest if is_dataclass(p.annotation)}
        own = [
            p
            for one in rest
            for p in (
                inspect.signature(groups[one.name], eval_str=True).parameters.values() if one.name in groups else [one]
            )
        ]
        shared = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)
            for name, annotation in _SHARED.items()
        ]

        @functools.wraps(function)
        def run(**values: Any) -> None:
            switches = {name: bool(values.pop(name)) for name in _SHARED}
            del switches["verbose"]  # `omicstore.cli.group` looks for it itself, also where a command cannot be loaded
            out = Output(**switches)
            for name, group in groups.items():
                values[name] = group(**{f.name: values.pop(f.name) for f in fields(group)})
            with shown_by(out.progress):
                function(out, **values)
            out.stop_if_strict()
            if out.warned and warns:
                raise typer.Exit(3)

        # Click keeps the lines of a paragraph that begins with this mark.
        run.__doc__ = inspect.cleandoc(function.__doc__ or "").replace("\\b\n", "\b\n")
        # Typer reads the signature: the function's own options, then those that all commands share.
        keyword = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own]
        run.__signature__ = inspect.Signature([*keyword, *shared])  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in [*keyword, *shared]}
        del run.__wrapped__
        return run

    return declare


def subcommands(text: str) -> typer.Typer:
    """Return a Typer application for a command with sub-commands, such as ``omicstore split``."""
    app = typer.Typer(cls=Group, help=text, add_completion=False, rich_markup_mode=None)
    app.callback()(lambda: None)
    return app


def find_study(start: Path | None = None) -> Path:
    """Return the study that `start` (the working folder) lies in: the nearest folder upward with a params.yaml.

    Raises
    ------
    StudyMissingError
        If there is none.
    """
    here = (start or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        if (folder / "params.yaml").is_file():
            return folder
    raise StudyMissingError(
        f"there is no params.yaml in {here} or above",
        expected="a study",
        run="cd into a study, or make one with omicstore init DIR, or name a store with --store PATH",
    )


def read_section(root: Path, name: str) -> dict[str, Any] | None:
    """Return a section of a study's params.yaml; None where there is none.

    Raises
    ------
    StudyError
        If the file is not YAML, or the section no mapping.
    """
    import yaml

    path = root / "params.yaml"
    try:
        body = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise StudyError(f"{path} is not YAML: {' '.join(str(error).split())}", expected="YAML") from error
    if not isinstance(body, dict | None):
        raise StudyError(f"{path} is not a mapping", expected="sections study, split, train, evaluate")
    section = (body or {}).get(name)
    if section is not None and not isinstance(section, dict):
        raise StudyError(f"{name} in {path} is {section!r}", expected="a mapping")
    return section


def find_store(store: str | None) -> str:
    """Return the path or URL of the store that --store names, or of the study here or above."""
    return store if store is not None else str(find_study() / "data" / "store")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it is not one.

    Examples
    --------
    >>> counted(1, "warning"), counted(1200, "sample")
    ('1 warning', '1,200 samples')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
