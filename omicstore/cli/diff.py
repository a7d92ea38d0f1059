"""``omicstore diff``: what changed from one release to another.

With --json one object: what `omicstore.releases.diff` returns.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omicstore.cli.common import Output, StoreOption, command, counted, find_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HASH = re.compile("[0-9a-f]{64}")
_KINDS = {"added": "+", "removed": "-", "changed": "~"}


@command()
def diff(
    out: Output,
    *,
    old: Annotated[str, typer.Argument(metavar="OLD", help="A release by name, id or alias, or current.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The same; what is there now if absent.")] = "current",
    store: StoreOption = None,
) -> None:
    r"""Show what changed from one release to another: by cohort, modality, sample and feature.

    What has the same hash is not read. The exit code is 0 whether or not there are changes; --json says which.

    \b
    Examples:
      omicstore diff v1.1 v1.2
      omicstore diff latest current --json
    """
    import omicstore
    from omicstore.releases import diff as compare

    place = find_store(store)
    with omicstore.open(place, release=old) as before, omicstore.open(place, release=new) as after:
        body = compare(before, after)
    out.result(body, lambda: _show(out, body))


def _show(out: Output, body: Mapping[str, Any]) -> None:
    def name(end: Mapping[str, Any]) -> str:
        return f"{end['names'][-1]} ({end['release'][:12]})" if end["names"] else end["release"][:12]

    out.text(f"{name(body['old'])} to {name(body['new'])}", style="bold")
    if body["same"]:
        out.text("the same content")
        return
    lines = [*_cohorts(body), *_matrices(body), *_tables(body), *_rest(body)]
    for line in lines or ["the same numbers and tables; only the name of the dataset, or whether it is simulated"]:
        out.text(line)


def _cohorts(body: Mapping[str, Any]) -> Iterator[str]:
    for kind, names in body["cohorts"].items():
        for cohort in names:
            yield f"{_KINDS[kind]} cohort {cohort}"
    for cohort, found in body["samples"].items():
        yield from _counts(f"{cohort}: sample", found)


def _matrices(body: Mapping[str, Any]) -> Iterator[str]:
    for found in body["matrices"]:
        where = f"{found['cohort']} {found['modality']}"
        if found["change"] != "changed":
            size = f"{counted(found['n_profiles'], 'sample')} x {counted(found['n_features'], 'feature')}"
            yield f"{_KINDS[found['change']]} {where}: {size}, {found['unit']}"
            continue
        for fact, (was, now) in found["facts"].items():
            yield f"~ {where}: {fact} {was} -> {now}"
        yield from _counts(f"{where}: sample", found["samples"])
        yield from _counts(f"{where}: feature", found["features"])
        if anew := found["features"].get("described_anew"):
            yield f"~ {where}: {counted(anew['n'], 'feature')} described anew: {', '.join(anew['columns'])}"
        if (other := found["other_profile"])["n"]:
            yield f"~ {where}: another profile of {counted(other['n'], 'sample')}"
        if (values := found["values"])["n_changed"]:
            among = f"{counted(values['n_samples'], 'sample')} and {counted(values['n_features'], 'feature')}"
            yield f"~ {where}: {counted(values['n_changed'], 'value')} in {among}"
            for cell in values["examples"]:
                feature = cell["feature_id"] + (f" ({cell['symbol']})" if cell["symbol"] else "")
                yield f"    {cell['sample_id']} {feature}: {_cell(cell['old'])} -> {_cell(cell['new'])}"


def _tables(body: Mapping[str, Any]) -> Iterator[str]:
    for name, found in body["tables"].items():
        if name == "provenance":
            continue  # its files follow, and the rest of it follows from them
        yield from _rows(f"{name}: row", found)
    for kind, files in body["sources"].items():
        for file in files[:_FILES]:
            hashes = f": {_short(file['old'])} -> {_short(file['new'])}" if kind == "changed" else ""
            yield f"{_KINDS[kind]} source {file['cohort']} {file['modality'] or ''} {file['name']}{hashes}"
        if len(files) > _FILES:
            yield f"    and {len(files) - _FILES:,} more sources {kind}; --json has all"


#: So many source files of each kind are listed.
_FILES = 20


def _rest(body: Mapping[str, Any]) -> Iterator[str]:
    for cohort, found in body["reports"].items():
        yield from _rows(f"{cohort}: report", found)
    for cohort, found in body["patches"].items():
        yield from _counts(f"{cohort}: slide", found)


def _counts(what: str, found: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for what was added, removed or changed, with examples."""
    for kind, mark in _KINDS.items():
        if n := found.get(f"n_{kind}", 0):
            shown = found[kind]
            more = ", ..." if n > len(shown) else ""
            where, _, noun = what.rpartition(": ")
            yield f"{mark} {where}: {counted(n, noun)} {kind}: {', '.join(shown)}{more}"


def _rows(what: str, found: Mapping[str, Any]) -> Iterator[str]:
    where, _, noun = what.rpartition(": ")
    for kind, mark in _KINDS.items():
        if not (n := found[f"n_{kind}"]):
            continue
        keys = [
            " ".join(str(v) for name, v in row.items() if name != "columns" and v is not None) for row in found[kind]
        ]
        if kind != "changed":
            yield f"{mark} {where}: {counted(n, noun)} {kind}: {', '.join(keys)}{', ...' if n > len(keys) else ''}"
            continue
        columns = ", ".join(f"{c} {k:,}" for c, k in found["columns"].items())
        yield f"{mark} {where}: {counted(n, noun)} changed ({columns})"
        for key, row in zip(keys, found[kind], strict=True):
            cells = row["columns"].items() if isinstance(row["columns"], dict) else ()
            yield f"    {key}" + "".join(f"; {c}: {_cell(a)} -> {_cell(b)}" for c, (a, b) in cells)


def _cell(value: object) -> str:
    text = "missing" if value is None else str(value)
    return text[:12] if _HASH.fullmatch(text) else text


def _short(digest: str | None) -> str:
    return "unknown" if digest is None else digest[:12]
