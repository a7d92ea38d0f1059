"""The options of ``query`` and ``export``: what is asked of a store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omicstore.cli.common import find_store
from omicstore.errors import UsageError

if TYPE_CHECKING:
    from omicstore.store.cohort import Cohort
    from omicstore.store.reader import Store

__all__ = ["Asking", "read_gene_set"]


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked of a store; the fields are options of the command line."""

    cohort: Annotated[
        list[str] | None,
        typer.Option("--cohort", metavar="NAME,...", help="Cohorts, joined by commas or repeated. [all]"),
    ] = None
    modalities: Annotated[
        list[str] | None,
        typer.Option("--modalities", metavar="NAME,...", help="Modalities: rna, meth, prot, ... [all]"),
    ] = None
    genes: Annotated[
        list[str] | None,
        typer.Option("--genes", metavar="GENE,...", help="Only these genes or features: symbols or ids. [all]"),
    ] = None
    gene_set: Annotated[
        Path | None, typer.Option("--gene-set", metavar="FILE", help="The same from a file, one per line, or a .gmt.")
    ] = None
    where: Annotated[
        str | None, typer.Option("--where", metavar="SQL", help="A condition on samples; omicstore columns lists them.")
    ] = None
    sample_type: Annotated[
        str, typer.Option("--sample-type", metavar="TYPE", help="primary, metastasis, normal, cell_line, ..., all.")
    ] = "primary"
    require: Annotated[
        str, typer.Option("--require", metavar="any|all|LIST", help="Samples with any, all, or these modalities.")
    ] = "any"
    scale: Annotated[str, typer.Option("--scale", metavar="linear|log2p1|log10p1", help="The scale of the values.")] = (
        "linear"
    )
    allow_mixed_units: Annotated[
        bool, typer.Option("--allow-mixed-units", help="Put values of different units side by side.")
    ] = False
    split: Annotated[
        str | None, typer.Option("--split", metavar="NAME", help="Read as this split allows; with --fold, --part.")
    ] = None
    fold: Annotated[int | None, typer.Option("--fold", metavar="K", help="The fold of the split.")] = None
    part: Annotated[
        str | None,
        typer.Option("--part", metavar="train|val|test", help="The part; the command line reads train only."),
    ] = None
    store: Annotated[
        str | None,
        typer.Option("--store", metavar="PATH|URL", help="The store; data/store of the study here or above if absent."),
    ] = None

    release: Annotated[
        str | None,
        typer.Option("--release", metavar="NAME", help="A release by name, id, latest or stable. [what is there now]"),
    ] = None

    @property
    def place(self) -> str:
        """The path or URL of the store."""
        return find_store(self.store)

    def of(self, store: Store) -> Cohort:
        """Ask `store`; genes of --gene-set that it lacks are a warning, unless it lacks them all."""
        from omicstore.store.genes import UnknownGenesError

        asked = self.arguments()
        try:
            return store.query(**asked)
        except UnknownGenesError as error:
            absent = set(error.missing)
            rest = [gene for gene in asked["genes"] if gene not in absent]
            if self.gene_set is None or not rest or absent & set(_names(self.genes)):
                raise
        cohort = store.query(**asked | {"genes": rest})
        shown = ", ".join(sorted(absent)[:5])
        more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
        cohort.warnings.append(
            f"{len(rest)} of {len(asked['genes'])} genes are there; none of the modalities has {shown}{more}"
        )
        return cohort

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `Store.query` that differ from its defaults."""
        genes = None if self.genes is None else _names(self.genes)
        if self.gene_set is not None and genes != []:
            genes = list(dict.fromkeys([*(genes or ()), *read_gene_set(self.gene_set)]))
        require = self.require.strip().lower()
        # An empty list is kept, so that the store refuses it: it is no wish for all.
        given: dict[str, Any] = {
            "cohort": None if self.cohort is None else _names(self.cohort),
            "modalities": None if self.modalities is None else _names(self.modalities),
            "genes": genes,
            "where": self.where,
            "sample_type": self.sample_type,
            "require": require if require in ("any", "all") else _names([self.require]),
            "scale": self.scale,
            "allow_mixed_units": self.allow_mixed_units,
            "split": self.split,
            "fold": self.fold,
            "part": self.part,
        }
        return {name: value for name, value in given.items() if value != _DEFAULTS.get(name)}

    def words(self) -> list[str]:
        """Return the options as they would be typed again, with --cohort and --modalities joined by commas."""
        words = []
        for option, names in (("--cohort", self.cohort), ("--modalities", self.modalities), ("--genes", self.genes)):
            if names:
                words += [option, ",".join(_names(names))]
        plain = {
            "--gene-set": self.gene_set, "--where": self.where, "--sample-type": self.sample_type,
            "--require": self.require, "--scale": self.scale, "--split": self.split, "--fold": self.fold,
            "--part": self.part, "--store": self.store, "--release": self.release,
        }  # fmt: skip
        for option, value in plain.items():
            if value is not None and value != _DEFAULTS.get(option[2:].replace("-", "_")):
                words += [option, str(value)]
        return [*words, "--allow-mixed-units"] if self.allow_mixed_units else words


_DEFAULTS = {"sample_type": "primary", "require": "any", "scale": "linear", "allow_mixed_units": False}


def _names(given: list[str] | None) -> list[str]:
    return [name.strip() for entry in given or () for name in entry.split(",") if name.strip()]


def read_gene_set(path: Path) -> list[str]:
    """Read genes from a file: one per line, or all in one line with commas; of a .gmt the genes of all its sets.

    What follows a ``#`` is a comment, and so is a line that begins with ``>``.

    Raises
    ------
    UsageError
        If the file cannot be read or names no gene.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is no UTF-8 text"
        raise UsageError(f"--gene-set {path}: {reason}", expected="a text file with one gene per line") from None
    first = 2 if path.suffix.lower() == ".gmt" else 0  # a set's name and description come first
    lines = [text for line in lines if (text := line.partition("#")[0].strip()) and not text.startswith(">")]
    if len(lines) == 1 and not first:
        lines = lines[0].split(",")  # but a metabolite's name may hold a comma, so not where there are more lines
    genes = dict.fromkeys(name.strip() for line in lines for name in line.split("\t")[first:] if name.strip())
    if not genes:
        raise UsageError(f"--gene-set {path} names no gene", expected="a text file with one gene per line")
    return list(genes)
