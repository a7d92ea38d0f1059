"""An open store."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl

from omicstore.errors import StoreError, UnknownNameError, UsageError
from omicstore.files import canonical_json
from omicstore.modalities import MODALITIES
from omicstore.schema import FORMAT
from omicstore.store.axes import axis_positions
from omicstore.store.describe import describe_columns, describe_store
from omicstore.store.filesystem import absent_file, broken_file, open_root
from omicstore.store.genes import lookup
from omicstore.store.layout import STORE_JSON
from omicstore.store.lease import Lease
from omicstore.store.registry import CURRENT, Registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import duckdb
    from numpy.typing import NDArray

    from omicstore.store.cohort import Cohort
    from omicstore.store.enforce import FittedState
    from omicstore.store.filesystem import Root
    from omicstore.store.matrixfile import MatrixFile
    from omicstore.store.registry import Retraction

__all__ = ["Store", "open_store"]


#: What ``store.json`` must have.
_ENTRIES = (
    "release", "dataset", "simulated", "cohorts", "files",
    "tables", "samples", "matrices", "index", "reports", "patches",
)  # fmt: skip


def open_store(place: str | Path | None = None, release: str | None = None) -> Store:
    """Open a store; see `omicstore.open`."""
    if place is None:
        place = _nearest_store(Path.cwd())
    if not str(place).strip():
        raise UsageError("the store's name is empty", expected="a folder or a URL", run="--store PATH")
    return Store(open_root(place), release)


def _nearest_store(start: Path) -> Path:
    for folder in (start, *start.parents):
        if (folder / "params.yaml").is_file():
            return folder / "data" / "store"
    raise StoreError(
        f"no params.yaml in {start} or above it, so there is no default store",
        expected="a study folder",
        run="go to one, or name the store with --store PATH",
    )


class Store:
    """An open store; one release of it, until it is closed. Also a context manager.

    Attributes
    ----------
    root
        The folder or URL.
    release
        The release id: 64 hexadecimal digits, over the logical content.
    dataset
        The study's name.
    simulated
        Whether the numbers come from a simulator.
    cohorts
        Names, sorted.
    modalities
        Names of what any cohort has, in the order of the registry.
    body
        What ``store.json`` says.
    """

    def __init__(self, root: Root, release: str | None = None) -> None:
        self.files = root
        self.asked = None if release == CURRENT else release
        self.root: Path | str = root.local or root.url
        self.body, self._lease = _claim(root) if release in (None, CURRENT) else _claim_release(root, release)
        self.release: str = self.body["release"]
        self.dataset: str = self.body["dataset"]
        self.simulated: bool = self.body["simulated"]
        self.cohorts: list[str] = list(self.body["cohorts"])
        held = {m for matrices in self.body["matrices"].values() for m in matrices}
        held |= {name for name, key in (("report", "reports"), ("patches", "patches")) if self.body[key]}
        self.modalities: list[str] = [m for m in MODALITIES if m in held]
        self._tables: dict[str, pl.DataFrame] = {}
        self._matrices: dict[str, MatrixFile] = {}
        self._names: dict[str, pl.DataFrame] = {}
        self._axes: dict[tuple[str, str], NDArray[np.int64]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        simulated = ", simulated data" if self.simulated else ""
        return f"<Store {self.root}, release {self.release[:12]}, {len(self.cohorts)} cohorts{simulated}>"

    def close(self) -> None:
        """Close the files and give up the claim on the release."""
        for file in self._matrices.values():
            file.close()
        self._matrices.clear()
        if self._lease is not None:
            self._lease.release()

    def query(
        self,
        cohort: str | Sequence[str] | None = None,
        modalities: str | Sequence[str] | None = None,
        genes: str | Sequence[str] | None = None,
        where: str | None = None,
        sample_type: str | Sequence[str] = "primary",
        require: str | Sequence[str] = "any",
        scale: str = "linear",
        *,
        allow_mixed_units: bool = False,
        split: str | Path | None = None,
        fold: int | None = None,
        part: str | None = None,
        state: FittedState | None = None,
    ) -> Cohort:
        """Choose samples, modalities and features; no number is read yet.

        Parameters
        ----------
        cohort
            Cohorts, all where None. Names here and below are case-insensitive; a string may hold several with commas.
        modalities
            Modalities, all that the chosen cohorts have where None.
        genes
            Gene symbols, Entrez ids or feature ids; all features where None.
        where
            A SQL expression over the columns of patients and profiles, as ``sex = 'female' and age_years < 50``.
        sample_type
            primary, metastasis, normal, cell_line, ..., or all. Where a cohort has no primary tumours but cell lines,
            primary means these.
        require
            any: samples with at least one of the modalities; all: with each; or the ones that must be there.
        scale
            linear, log2p1 or log10p1 (the logarithm of 1 + x), for units that are amounts.
        allow_mixed_units
            Let through a modality whose unit differs between the cohorts.
        split, fold, part
            A split by name or folder, its fold, and train, val or test. Without a split the result is marked
            ``unsplit``.
        state
            What was fitted on that fold's training rows; val and test are read through it.

        Raises
        ------
        UnknownNameError
            If a name does not exist; the nearest ones are named.
        UsageError
            If `where` is no such expression.
        MixedUnitsError
            If a modality's unit differs between the cohorts.
        LeakageError
            If held-out rows are asked for without a state fitted on this fold's training rows.
        """
        from omicstore.store.query import Question, answer

        question = Question.of(
            self,
            cohort=cohort,
            modalities=modalities,
            genes=genes,
            where=where,
            sample_type=sample_type,
            require=require,
            scale=scale,
            allow_mixed_units=allow_mixed_units,
        )
        return answer(self, question, split=split, fold=fold, part=part, state=state)

    def table(self, name: str) -> pl.DataFrame:
        """Return a catalogue table: patients, outcomes, labels, profiles or provenance; or reports."""
        if name == "reports":
            return self.reports(list(self.body["reports"]))
        if name not in self.body["tables"]:
            raise UnknownNameError("table", name, [*self.body["tables"], "reports"])
        return self._cached(self.body["tables"][name])

    def reports(self, cohorts: Sequence[str]) -> pl.DataFrame:
        """Return the reports of some cohorts that have any."""
        found = [
            self.read_table(self.body["reports"][cohort]).with_columns(pl.lit(cohort).alias("cohort"))
            for cohort in cohorts
        ]
        return pl.concat(found, how="diagonal") if found else pl.DataFrame()

    def has(self, path: str) -> bool:
        """Return whether a file that ``store.json`` names is here; what lies on another machine is taken to be."""
        return self.files.local is None or (self.files.local / path).is_file()

    def not_here(self) -> dict[str, list[str]]:
        """Return the modalities of each cohort whose numbers were not pulled to this machine; see `omicstore.remote`.

        A modality that is here in part is not among them: that one is broken.
        """
        found: dict[str, list[str]] = {}
        for cohort in self.cohorts:
            paths = {m: [entry["values"], entry["features"]] for m, entry in self.body["matrices"][cohort].items()}
            if cohort in self.body["reports"]:
                paths["report"] = [self.body["reports"][cohort]]
            if cohort in self.body["patches"]:
                paths["patches"] = self.patch_files(cohort)
            if absent := [m for m in MODALITIES if m in paths and not any(map(self.has, paths[m]))]:
                found[cohort] = absent
        return found

    def read_table(self, path: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Read a table that ``store.json`` names by its path, or some columns of it.

        Raises
        ------
        StoreError
            If the file is absent or broken.
        """
        if not self.has(path):
            raise absent_file(self.files.url, path, self.asked)
        try:
            return self.files.table(path, columns)
        except (OSError, pl.exceptions.PolarsError, ValueError) as error:
            raise broken_file(self.files.url, path, error) from None

    @cached_property
    def registry(self) -> Registry:
        """The releases of this store, and what was retracted."""
        return Registry(self.files)

    @property
    def retractions(self) -> list[Retraction]:
        """All releases and patients that were retracted, whether or not they are of this release."""
        return self.registry.retractions

    def retracted(self, patients: Iterable[str] | None = None) -> list[Retraction]:
        """Return the retractions of this release and of the patients named, or of any in it."""
        if not self.registry.retractions:
            return []
        who = self.samples()["patient_id"].drop_nulls().to_list() if patients is None else patients
        return self.registry.concerning([self.release], who)

    def info(self) -> dict[str, Any]:
        """Return what the store holds, per cohort and modality, as JSON would hold it."""
        return describe_store(self)

    def columns(self) -> pl.DataFrame:
        """Return what `where` can ask for: column, table, type, how many cells are filled, and an example."""
        return describe_columns(self)

    def sql(self) -> duckdb.DuckDBPyConnection:
        """Return a DuckDB connection with views over the tables and, per modality, a long view of its numbers.

        The connection can neither write to the store nor read any other file.
        """
        from omicstore.store.sql import connect

        return connect(self)

    def patch_files(self, cohort: str) -> list[str]:
        """Return the files of a cohort's patch features, one per slide and encoder."""
        if cohort not in self.body["patches"]:
            raise UnknownNameError("cohort with slide patches", cohort, self.body["patches"])
        folder = self.body["patches"][cohort]["path"] + "/"
        return sorted(path for path in self.body["files"] if path.startswith(folder))

    def samples(self) -> pl.DataFrame:
        """Return the table that joins samples to the rows of the matrices."""
        return self._cached(self.body["samples"])

    def union_features(self, modality: str) -> pl.DataFrame:
        """Return the features of a modality that any cohort has, sorted by id."""
        if modality not in self.body["index"]:
            raise UnknownNameError("modality with features", modality, self.body["index"])
        return self._cached(self.body["index"][modality]["features"])

    def feature_names(self, modality: str) -> pl.DataFrame:
        """Return the names that the features of a modality answer to; see `omicstore.store.genes.lookup`."""
        if modality not in self._names:
            self._names[modality] = lookup(self.union_features(modality))
        return self._names[modality]

    def axis(self, modality: str, cohort: str) -> NDArray[np.int64]:
        """Return where a cohort's features stand among `union_features`, ascending."""
        entry = self.body["matrices"][cohort][modality]
        key = (modality, str(entry["axis"]))
        if key not in self._axes:
            index = self.body["index"][modality]
            if entry["n_features"] == index["n_features"]:
                self._axes[key] = np.arange(index["n_features"])
            else:
                ids = self.read_table(entry["features"], ["feature_id"])["feature_id"]
                self._axes[key] = axis_positions(ids, self.union_features(modality)["feature_id"])
        return self._axes[key]

    def matrix(self, path: str) -> MatrixFile:
        """Return an open matrix file of this release."""
        from omicstore.store.matrixfile import MatrixFile  # Arrow is not needed to count samples

        if path not in self._matrices:
            if not self.has(path):
                raise absent_file(self.files.url, path, self.asked)
            self._matrices[path] = MatrixFile(self.files, path)
        return self._matrices[path]

    def _cached(self, path: str) -> pl.DataFrame:
        if path not in self._tables:
            self._tables[path] = self.read_table(path)
        return self._tables[path]


def _claim(root: Root) -> tuple[dict[str, Any], Lease | None]:
    """Read ``store.json`` and claim its files, so that they stay while this reader lives."""
    content = _read(root)
    if root.local is None:
        return _parse(root, content), None
    while True:
        lease = Lease(root.local, content)
        again = _read(root)
        if again == content:  # else a release was committed before the claim stood
            break
        lease.release()
        content = again
    try:
        return _parse(root, content), lease
    except StoreError:
        lease.release()
        raise


def _claim_release(root: Root, asked: str) -> tuple[dict[str, Any], Lease | None]:
    """Find a release and claim its files, should somebody take it out of the registry while this reader lives."""
    registry = Registry(root)
    content = canonical_json(registry.entry(registry.resolve(asked).release)["store"])
    return _parse(root, content), None if root.local is None else Lease(root.local, content)


def _read(root: Root) -> bytes:
    try:
        return root.read_bytes(STORE_JSON)
    except (OSError, ValueError) as error:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            raise StoreError(
                f"{root.url or 'the store'} cannot be read: {' '.join(str(error).split())}",
                expected="a store that this machine can reach",
                run="correct --store, or the permissions and credentials",
            ) from None
        raise StoreError(
            f"there is no store at {root.url}",
            expected=f"a folder with {STORE_JSON}",
            run="dvc repro makes the study's store, omicstore pull brings it from a remote; --store PATH names another"
            if root.local is not None
            else "omicstore push, where the study lies, sends one to a remote; --store names another",
        ) from None


def _parse(root: Root, content: bytes) -> dict[str, Any]:
    try:
        body = json.loads(content)
        form = body["format"]
    except (ValueError, KeyError, TypeError):
        raise _not_ours(root) from None
    if form != FORMAT:
        raise StoreError(
            f"{root.url} has the format {form!r}", expected=FORMAT, run="use the version of omicstore that wrote it"
        )
    if lacking := [name for name in _ENTRIES if name not in body]:
        raise _not_ours(root, f": it lacks {', '.join(lacking)}")
    return dict(body)


def _not_ours(root: Root, why: str = "") -> StoreError:
    return StoreError(
        f"{root.url}/{STORE_JSON} is not what omicstore writes{why}",
        expected="JSON that names the files of a release",
        run="dvc checkout, or build the store again",
    )
