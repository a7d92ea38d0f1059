"""The command line: one thin file per command over the Python API.

`COMMANDS` is the table of commands. A command is imported when it is called, so ``omicstore --help`` stays fast and
``omicstore query`` loads nothing that only training needs. How a command is declared: `omicstore.cli.common`.
"""

from __future__ import annotations

from typing import Annotated, NoReturn

import typer

from omicstore.cli.group import LazyGroup

__all__ = ["COMMANDS", "app", "main"]

#: Command -> ("module:function", help). None: `validation` or `models` names it as an entry point.
COMMANDS: dict[str, tuple[str | None, str]] = {
    "init": ("omicstore.cli.init:init", "Make a new study: params.yaml, dvc.yaml and what DVC needs."),
    "simulate": ("omicstore.cli.simulate:simulate", "Write the files of the simulated demo study."),
    "sources": ("omicstore.cli.sources:sources", "Tell what upstream files are; print a study section to start from."),
    "fetch": ("omicstore.cli.fetch:app", "Download open-access files of GDC, UCSC Xena and reference tables."),
    "plan": ("omicstore.cli.build:plan", "Say what each cohort is made of; stage 1."),
    "build": ("omicstore.cli.build:build", "Build one cohort, or plan, build and assemble all; stage 2."),
    "assemble": ("omicstore.cli.build:assemble", "Join the built cohorts into one store; stage 3."),
    "validate": (None, "Check the store; write reports/validation.json and .html."),
    "info": ("omicstore.cli.info:info", "Show cohorts x modalities: patients, samples, availability."),
    "columns": ("omicstore.cli.columns:columns", "Show what --where can ask for."),
    "query": ("omicstore.cli.query:query", "Show what there is of the chosen cohorts and modalities."),
    "export": ("omicstore.cli.export:export", "Write what a query finds to files."),
    "cite": ("omicstore.cli.cite:cite", "Show terms and citations of what a store holds."),
    "sql": ("omicstore.cli.sql:sql", "Run a read-only SQL query over the store's views."),
    "ids": ("omicstore.cli.ids:ids", "Say what became of an identifier, and why."),
    "split": ("omicstore.cli.split:app", "Make, check and show splits into train, val and test."),
    "audit": ("omicstore.cli.audit:audit", "Check a split or a trained model for leaks, from its files."),
    "release": ("omicstore.cli.release:release", "Freeze the store under a name."),
    "log": ("omicstore.cli.log:log", "Show the releases, newest first."),
    "diff": ("omicstore.cli.diff:diff", "Show what changed from one release to another."),
    "retract": ("omicstore.cli.retract:retract", "Say that a release or a patient must not be used any more."),
    "lineage": ("omicstore.cli.lineage:lineage", "Show the chain from source files to a number."),
    "push": ("omicstore.cli.push:push", "Send the store, or a release of it, to a remote."),
    "pull": ("omicstore.cli.pull:pull", "Bring a release, or some of it, from a remote."),
    "train": (None, "Train the model that params.yaml names."),
    "evaluate": (None, "Evaluate the trained model on the test part."),
    "embed": (None, "Say where new patients lie in the trained model's space."),
    "impute": (None, "Predict what was not measured in new patients, with intervals."),
    "predict": (None, "Predict new patients' risk or class, as far as the model can."),
    "price": (None, "Show what leaks are worth: the model under ever stricter splits."),
    "canaries": (None, "Plant every known leak and see which the audit catches."),
    "bench": (None, "Reproduce a table of a model's paper, beside ours."),
    "report": (None, "Write reports/report.html."),
    "doctor": ("omicstore.cli.doctor:doctor", "Find what is wrong with the set-up, and say how to mend it."),
}


class Root(LazyGroup):
    """The commands of `COMMANDS` and those of installed packages."""

    table = COMMANDS
    entry_points = "omicstore.commands"


app = typer.Typer(
    cls=Root,
    name="omicstore",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(wanted: bool) -> None:  # noqa: FBT001 - Typer passes the flag by position
    if wanted:
        from importlib.metadata import version

        typer.echo(f"omicstore {version('omicstore')}")
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Build, query and export a versioned store of cancer multi-omics, and train on it without leaks."""
    del version  # handled by its callback before this is called


def main() -> NoReturn:
    """Run the command line; the entry point of the script ``omicstore``."""
    typer.main.get_command(app)(prog_name="omicstore")
    raise SystemExit
