"""``omicstore cite``: terms and citations of what a store holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from omicstore.cli.common import Output, ReleaseOption, StoreOption, command, find_store
from omicstore.errors import UsageError

if TYPE_CHECKING:
    from omicstore.export.terms import Terms
    from omicstore.store.reader import Store


@command()
def cite(
    out: Output,
    *,
    bibtex: Annotated[bool, typer.Option("--bibtex", help="Print the citations as BibTeX, and nothing else.")] = False,
    store: StoreOption = None,
    release: ReleaseOption = None,
) -> None:
    r"""Show the terms and citations of what a store holds.

    Each source file with the licence that the study file states (licence: in study.sources), and what its programme,
    portal or format asks to be cited. The same travels with every export as CITATION.md and provenance.

    \b
    Examples:
      omicstore cite
      omicstore cite --bibtex > sources.bib
    """
    import omicstore
    from omicstore.export.citations import CITATIONS
    from omicstore.export.terms import terms_of

    if bibtex and out.json:
        raise UsageError("--bibtex and --json are both given", expected="one of them")
    with omicstore.open(find_store(store), release=release) as opened:
        terms = terms_of(opened)
        keys = list(dict.fromkeys(key for entry in terms for key in entry.cite))
        body: dict[str, Any] = {
            "release": opened.release,
            "dataset": opened.dataset,
            "simulated": opened.simulated,
            "sources": [entry.as_json() for entry in terms],
            "citations": {key: {"text": CITATIONS[key].text, "doi": CITATIONS[key].doi} for key in keys},
        }
        if bibtex:
            for key in keys:
                out.text(CITATIONS[key].bibtex)
            if not keys:
                out.note(
                    "simulated data: nothing to cite" if opened.simulated else "no source has a citation on record"
                )
            return
        out.result(body, lambda: _show(out, opened, terms, keys))


def _show(out: Output, store: Store, terms: list[Terms], keys: list[str]) -> None:
    from rich.table import Table

    from omicstore.export.citations import CITATIONS
    from omicstore.export.terms import NO_LICENCE, SIMULATED

    if store.simulated:
        out.text(SIMULATED)
    table = Table(box=None, pad_edge=False)
    for name in ("source", "format", "cohorts", "holds", "licence or terms", "cite"):
        table.add_column(name)
    for entry in terms:
        cite = ", ".join(f"[{keys.index(key) + 1}]" for key in entry.cite)
        held = (entry.format, ", ".join(entry.cohorts), ", ".join(entry.modalities))
        table.add_row(entry.name, *held, entry.licence or NO_LICENCE, cite)
    out.print(table)
    for i, key in enumerate(keys):
        out.text(f"\n[{i + 1}] {CITATIONS[key].text}" if i == 0 else f"[{i + 1}] {CITATIONS[key].text}")
    silent = sum(entry.licence is None for entry in terms)
    if silent and not store.simulated:
        out.note(
            f"{silent} of {len(terms)} sources state no licence: ask their publishers, and add licence: to the study"
        )
