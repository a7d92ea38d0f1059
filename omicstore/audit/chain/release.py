"""The release: every file of the store, hashed again from its content up to the release id."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.audit.chain.cells import catalogue_cells
from omicstore.audit.chain.content import KEYS, MatrixFile, read_table, samples_hash, slide_hash, table_hash
from omicstore.audit.chain.matrices import check_matrices
from omicstore.audit.chain.storefiles import StoreFiles
from omicstore.audit.encoding import node_hash, store_hash
from omicstore.audit.finding import Finding, failed, not_applicable, result
from omicstore.audit.reading import BROKEN

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.audit.bundle import Bundle

_WHAT = "the store's files are those of its release id"
_HOW = (
    "every file that store.json names was hashed again from its content, up to the release id, and the turned "
    "matrices of the index were compared with the matrices"
)


def release(bundle: Bundle) -> Finding:
    """Hash the store's files again, and compare its index with its matrices."""
    if bundle.store is None:
        return not_applicable("release", _WHAT, "there is no store here; name it with --store")
    body, named = bundle.body or bundle.current, bundle.named_release
    if body is None:
        return failed("release", _WHAT, [f"{bundle.store / 'store.json'} cannot be read"], _HOW)
    files, found = StoreFiles(bundle.store, body), None
    if bundle.current is None:
        files.say(f"{bundle.store / 'store.json'} cannot be read")
    try:
        if bundle.current is not None and bundle.current is not body:  # the store moved on; is it whole?
            _root(files, bundle.current)
        _check(files, body)
        for path in sorted(set(body["files"]) - files.seen):
            files.say(f"store.json names {path}, which is no part of anything")
        found = _root(files, body)
    except BROKEN as error:
        files.say(f"store.json lacks what every store has, or holds something else in its place ({error!r})")
    if named is not None and body.get("release") != named:
        files.say(
            f"the store holds release {str(body.get('release'))[:12]}, and what is audited names {named[:12]}, "
            "of which no store.json is here"
        )
    return result(
        "release", _WHAT, files.offenders, _HOW,
        release=body.get("release"), found=found, files=files.n, cells=files.n_cells,
    )  # fmt: skip


def _check(files: StoreFiles, body: dict[str, Any]) -> None:
    check_matrices(files, body)
    for table, path in sorted(body["tables"].items()):

        def read(place: Path, table: str = table) -> tuple[int, str]:
            frame = read_table(place)
            return frame.height, table_hash(frame, table)

        def cells(place: Path, table: str = table) -> list[str]:
            return catalogue_cells(files.folder, body, table, read_table(place))

        files.check(f"the table {table}", path, read, cells)
    for cohort, path in sorted(body["reports"].items()):
        files.check(f"the reports of {cohort}", path, _reports)
    for cohort, entry in sorted(body["patches"].items()):
        own = sorted(path for path in body["files"] if path.startswith(f"{entry['path']}/"))
        for path in own:
            files.check(f"the patches of {cohort}, slide {path.rpartition('/')[2].split('.')[0]}", path, slide_hash)
        hashes = {path.rpartition("/")[2]: body["files"][path]["hash"] for path in own}
        if node_hash("patches", hashes) != entry["hash"]:
            files.say(f"store.json names other slides of {cohort} than the hash of its patches")
    files.check("the table of samples", body["samples"], _samples, partial(_sample_cells, files.folder, body))
    if not files.offenders:
        files.offenders += _sample_cells(files.folder, body, files.folder / body["samples"])


def _reports(path: Path) -> tuple[int, str]:
    frame = read_table(path)
    return frame.height, table_hash(frame, "reports")


def _samples(path: Path) -> tuple[int, str]:
    frame = read_table(path)
    return frame.height, samples_hash(frame)


def _sample_cells(folder: Path, body: dict[str, Any], path: Path) -> list[str]:
    """Return where the table of samples, which no release id covers, differs from the matrices and the sample map."""
    samples, profiles = read_table(path), read_table(folder / body["tables"]["profiles"])
    said = []
    for cohort, own in sorted(body["matrices"].items()):
        mine = samples.filter(pl.col("cohort") == cohort)
        for modality, entry in sorted(own.items()):
            rows = dict(mine.select("sample_id", f"row_{modality}").drop_nulls().iter_rows())
            held = MatrixFile(folder / entry["values"]).texts("sample_id").to_list()
            true = {sample: row for row, sample in enumerate(held)}
            said += [
                f"{sample} of {cohort}: its {modality} row is {rows.get(sample)}, and in the matrix {true.get(sample)}"
                for sample in sorted({*rows, *true})
                if rows.get(sample) != true.get(sample)
            ]
    known = (
        profiles.sort(KEYS["profiles"])
        .group_by("cohort", "sample_id", maintain_order=True)
        .agg(pl.col("patient_id", "sample_type").drop_nulls().first())
    )
    both = samples.join(known, on=["cohort", "sample_id"], suffix="_map").sort("cohort", "sample_id")
    for column in ("patient_id", "sample_type"):
        wrong = both.filter(pl.col(column).ne_missing(pl.col(f"{column}_map")))
        said += [
            f"{sample} of {cohort}: {column} is {found!r}, and {true!r} in the table profiles"
            for cohort, sample, found, true in wrong.select("cohort", "sample_id", column, f"{column}_map").iter_rows()
        ]
    return said


def _root(files: StoreFiles, body: dict[str, Any]) -> str:
    """Make the release id from the hashes of a store.json, and return it."""
    found = store_hash(body)
    if found != body["release"]:
        files.say(f"store.json states the release {str(body['release'])[:12]}, and what it names gives {found[:12]}")
    return found
