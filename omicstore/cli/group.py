"""The group of commands: loads each when it is called, and turns what goes wrong into a message and an exit code."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
import threading
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer
from typer.core import CompletionItem, TyperGroup  # type: ignore[attr-defined]

from omicstore.errors import MissingExtraError, OmicstoreError, UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import FrameType

__all__ = ["EXTRAS", "Group", "LazyGroup"]

#: Modules that only some commands need, and the extra that brings each.
EXTRAS = {
    "anndata": "scverse", "mudata": "scverse", "pandas": "scverse", "dvc": "pipeline", "great_expectations": "validate",
    "jinja2": "validate", "torch": "models", "lightning": "models", "lifelines": "models", "sklearn": "models",
    "safetensors": "models", "matplotlib": "models", "httpx": "fetch",
}  # fmt: skip


_ROOM = "make room (omicstore doctor shows what is free) and run the same command again; what was there before is whole"
#: What a disk can refuse, and what mends it.
_DISK = {
    errno.ENOSPC: ("the disk is full", _ROOM),
    errno.EDQUOT: ("the disk quota is used up", _ROOM),
    errno.EROFS: ("the file system is read-only", "write to another place"),
    errno.EISDIR: ("a folder stands where a file is needed", "name a file"),
    errno.EEXIST: ("a file stands where a folder is needed", "name another place"),
    errno.ENOTDIR: ("a file stands where a folder is needed", "name another place"),
    errno.EACCES: ("permission denied", "ask for the permission, or name another place"),
    errno.EPERM: ("operation not permitted", "ask for the permission, or name another place"),
}  # fmt: skip


class Group(TyperGroup):
    """Commands of which a mistyped one names the nearest; called bare it shows its help."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Show the help where no command is named."""
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help())
            ctx.exit(0)
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command, or name the nearest ones."""
        if self.get_command(ctx, args[0]) is None:
            close = ", ".join(nearest(args[0], self.list_commands(ctx)))
            ctx.fail(f"unknown command {args[0]!r}. Expected one of {close}.")
        return super().resolve_command(ctx, args)


class LazyGroup(Group):
    """The root group: commands are named in a table and imported when they are called.

    Attributes
    ----------
    table
        Command name to ("module:function" or None for an entry point, one line of help).
    entry_points
        The group of entry points in which packages name further commands.
    """

    table: Mapping[str, tuple[str | None, str]] = {}
    entry_points: str = ""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signature is Typer's
        """Return the names of all commands, in the order of the table."""
        return [*self.table, *sorted(set(self._found()) - set(self.table))]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the signature is Typer's
        """Import a command; None where there is none of this name."""
        if cmd_name in self.commands:
            return self.commands[cmd_name]
        target = self.table.get(cmd_name, (None, ""))[0]
        target = target or self._found().get(cmd_name)
        if target is None and cmd_name in self.table:
            raise UsageError(f"the command {cmd_name} is not installed", run="pip install omicstore")
        if target is None:
            return None
        module, _, name = target.partition(":")
        loaded = getattr(importlib.import_module(module), name)
        if not isinstance(loaded, typer.Typer):
            app = typer.Typer(add_completion=False, rich_markup_mode=None)
            app.command(cmd_name)(loaded)
            loaded = app
        self.commands[cmd_name] = made = typer.main.get_command(loaded)
        return made

    def shell_complete(self, ctx: Any, incomplete: str) -> list[CompletionItem]:
        """Complete the name of a command, importing none; or an option."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        names = [name for name in self.list_commands(ctx) if name.startswith(incomplete)]
        return [CompletionItem(name, help=self.table.get(name, (None, ""))[1]) for name in names]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the table of commands, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, self.table.get(name, (None, ""))[1]) for name in self.list_commands(ctx)])

    def main(self, args: Sequence[str] | None = None, *positional: Any, **extra: Any) -> Any:
        """Run the command line and exit: 0 done, 1 failed, 2 wrong usage, 3 done with warnings, 130 interrupted."""
        words = list(sys.argv[1:] if args is None else args)
        try:
            with _orderly_end():
                code = self._run(words, *positional, **extra)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read our output has seen enough. Python flushes stdout again at exit, which must not fail.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 1
        raise SystemExit(code)

    def _run(self, words: list[str], *positional: Any, **extra: Any) -> int:
        verbose = any(word in ("-v", "--verbose") for word in words)
        try:
            code = super().main(words, *positional, **extra | {"standalone_mode": False})
        except BrokenPipeError:
            raise
        except (KeyboardInterrupt, typer.Abort):
            code = 130
        except OmicstoreError as error:
            return _failed(error, str(error), error.exit_code, verbose=verbose)
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package not in EXTRAS:
                return _unexpected(error, verbose=verbose)
            return _failed(error, str(MissingExtraError(package, EXTRAS[package])), 2, verbose=verbose)
        except typer.TyperException as error:
            return _failed(error, _usage(error), error.exit_code, verbose=False)
        except OSError as error:
            if error.errno not in _DISK:
                return _unexpected(error, verbose=verbose)
            found, mend = _DISK[error.errno]
            place = f" ({error.filename})" if error.filename else ""
            return _failed(error, str(OmicstoreError(found + place, run=mend)), 1, verbose=verbose)
        except Exception as error:  # noqa: BLE001 - the last resort: one line, and the traceback on request
            return _unexpected(error, verbose=verbose)
        if code == 130:
            typer.echo("interrupted", err=True)
        return code if isinstance(code, int) else 0

    def _found(self) -> dict[str, str]:
        from importlib.metadata import entry_points

        return {entry.name: entry.value for entry in entry_points(group=self.entry_points)}


@contextmanager
def _orderly_end() -> Iterator[None]:
    """Let a terminated command tidy up as an interrupted one does, and exit with 128 + the signal's number."""

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature is the system's
        typer.echo("terminated", err=True)
        raise SystemExit(128 + number)

    signals = (signal.SIGTERM, signal.SIGHUP) if threading.current_thread() is threading.main_thread() else ()
    # nohup and the like have their reasons: only what would kill the process at once is caught.
    before = {number: signal.getsignal(number) for number in signals if signal.getsignal(number) is signal.SIG_DFL}
    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _unexpected(error: Exception, *, verbose: bool) -> int:
    message = " ".join(f"{type(error).__name__}: {error}".split())
    hint = "" if verbose else " (run with -v for the traceback)"
    return _failed(error, message + hint, 1, verbose=verbose)


def _failed(error: Exception, message: str, code: int, *, verbose: bool) -> int:
    if verbose:
        typer.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    typer.echo(f"error: {message}", err=True)
    return code


def _usage(error: Any) -> str:
    """Return the message of a usage error, with the nearest options for a mistyped one, and where to read more."""
    message, ctx = error.format_message().strip(), getattr(error, "ctx", None)
    option = getattr(error, "option_name", None)
    if option is not None and ctx is not None and "No such option" in message:
        known = [name for param in ctx.command.get_params(ctx) for name in param.opts if name.startswith("--")]
        message = f"unknown option {option!r}. Expected one of {', '.join(nearest(option, known))}."
    if ctx is not None:
        message = f"{message.rstrip('.')}. To mend it: see {ctx.command_path} --help"
    return str(message)
