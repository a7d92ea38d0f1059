"""Build one cohort: read its sources, harmonise them, write its part of the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from omicstore.build.files import FileHashes
from omicstore.build.plan import Planned, load_plan
from omicstore.build.provenance import Ledger
from omicstore.errors import StudyError
from omicstore.files import canonical_json, write_if_changed
from omicstore.harmonize import tables
from omicstore.harmonize.assay import Assay, Matrix, to_assays
from omicstore.harmonize.combine import combine
from omicstore.harmonize.fixation import Fixation
from omicstore.harmonize.references import References
from omicstore.harmonize.samples import SampleMap
from omicstore.modalities import MODALITIES
from omicstore.progress import task
from omicstore.readers import expand, iter_patches, read
from omicstore.slides.cache import FeatureCache
from omicstore.text.embedding import SCHEMA, embed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from omicstore.readers.table import RawTable
    from omicstore.sources import Source

__all__ = ["PARTS", "STORE", "build_cohort"]

#: Where the store and the per-cohort records lie below a study's folder.
STORE = Path("data/store")
PARTS = Path("data/parts")


def build_cohort(root: Path, cohort: str) -> dict[str, Any]:
    """Build one cohort of the study at `root` from its plan.

    Parameters
    ----------
    root
        The study's folder.
    cohort
        A cohort that has been planned.

    Returns
    -------
    dict
        What the cohort holds: the body of ``cohort=<c>/cohort.json``. ``data/parts/<c>.json`` has it too, with the hash
        of the plan that it was built from.
    """
    from omicstore.store.writer import write_cohort

    cohort = cohort.upper()
    planned = load_plan(root, cohort)
    work = _CohortBuild(planned, cohort, root / STORE)
    body = write_cohort(
        root / STORE,
        cohort,
        matrices=work.matrices(),
        tables=work.tables,
        reports=work.reports,
        patches=work.patches,
    )
    write_if_changed(root / PARTS / f"{cohort}.json", canonical_json({"plan": planned.digest, "cohort": body}))
    return body


class _CohortBuild:
    """One cohort's way through the readers and the harmonising, one matrix in memory at a time."""

    def __init__(self, planned: Planned, cohort: str, scratch: Path) -> None:
        self.scratch = scratch
        self.planned, self.cohort, self.study = planned, cohort, planned.study
        self.refs = References.load(planned.study)
        self.ledger = Ledger(planned, cohort)
        self.profiles: list[pl.DataFrame] = []
        self.tables_raw: list[tuple[int, str, RawTable]] = []

    def matrices(self) -> Iterator[Matrix]:
        """Yield the cohort's matrices; tables are read first, and those in the same files are kept for later."""
        order = list(MODALITIES)
        by_modality: dict[str, list[tuple[int, Source]]] = {}
        parts = [(position, part) for position, source in enumerate(self.study.sources) for part in expand(source)]
        for position, source in parts:
            if source.modality is None or MODALITIES[source.modality].kind != "matrix":
                self.tables_raw += [(position, self._id(source), raw) for raw in self._read(source)]
            else:
                by_modality.setdefault(source.modality, []).append((position, source))
        if not any(part.modality for _, part in parts):
            raise StudyError(
                f"no source measures anybody of {self.cohort}: there are tables of patients alone",
                expected="a matrix, reports or slides; a patient without any is not stored",
                run="add one to study.sources in params.yaml; omicstore sources FILE... says what a file is",
            )
        fixation = Fixation((raw for _, raw in self._raws()), SampleMap(self.study, self.cohort))
        for modality in sorted(by_modality, key=order.index):
            yield from self._combined(by_modality[modality], fixation)

    def _combined(self, sources: list[tuple[int, Source]], fixation: Fixation) -> Iterator[Matrix]:
        assays: dict[str, list[Assay]] = {}
        for position, source in sources:
            for raw in self._read(source):
                if raw.kind != "matrix":
                    self.tables_raw.append((position, self._id(source), raw))
                    continue
                for assay in to_assays(raw, self.cohort, self.study, self.refs, self._id(source), self.scratch):
                    self.ledger.assay(assay, raw)
                    assay.profiles = fixation.fill(assay.profiles)
                    assays.setdefault(assay.modality, []).append(assay)
        for modality in list(assays):
            matrix = self._matrix(assays.pop(modality))
            self.profiles.append(matrix.profiles)
            yield matrix

    def _matrix(self, parts: list[Assay]) -> Matrix:
        # In a function of its own, so that nothing holds the assays while their matrix is written.
        matrix = combine(parts)
        self.ledger.warn(parts[0].source_id, matrix.modality, matrix.warnings)
        return matrix

    def tables(self) -> dict[str, pl.DataFrame]:
        """Return the cohort's catalogue tables; called when the matrices have been written."""
        return tables.catalogue(self._raws(), self.profiles, self.cohort, self.study, self.refs, self.ledger)

    def reports(self) -> pl.DataFrame:
        """Return the cohort's pathology reports, with the vectors of their sentences where a source has an encoder."""
        raws = self._raws()
        found = tables.reports(raws, self.cohort, self.study, self.refs)
        memory, cache = self._kept("sentences")
        vectors = [pl.DataFrame(schema=SCHEMA)]
        for (i,), part in sorted(found.partition_by("table", as_dict=True).items()):
            source = raws[i][1].source
            if source.encoder is None:
                continue
            with task(f"{self.cohort}: sentences of {source.path.name}", part.height, "reports") as advance:
                for frame in embed(part, source.encoder, self.planned.encoder_sha256(source), cache.patches):
                    vectors.append(frame)
                    advance(frame.height)
        memory.save()
        columns = [c for c in found.columns if c not in SCHEMA or c == "profile_id"]
        return found.select(columns).join(pl.concat(vectors), on="profile_id", how="left").drop("table")

    def patches(self) -> Iterator[pl.DataFrame]:
        """Yield the patches of one slide after the other, some at a time."""
        raws = self._raws()
        slides = tables.patches(raws, self.cohort, self.study, self.refs)
        memory, cache = self._kept("patches")
        with task(f"{self.cohort}: slides", slides.height, "slides") as advance:
            for slide in slides.iter_rows(named=True):
                source = raws[slide["table"]][1].source
                for frame in iter_patches(source, slide, cache):
                    yield frame.with_columns(
                        pl.lit(slide["slide_id"]).alias("slide_id"), pl.lit(slide["sample_id"]).alias("sample_id")
                    )
                advance()
        memory.save()

    def _kept(self, kind: str) -> tuple[FileHashes, FeatureCache]:
        folder = self.study.root / ".omicstore"
        memory = FileHashes(folder / "hashes.json")
        return memory, FeatureCache(folder / kind, memory.describe)

    def _raws(self) -> list[tuple[str, RawTable]]:
        """Return the tables with the ids of their sources, in the order of the study file."""
        return [(source_id, raw) for _, source_id, raw in sorted(self.tables_raw, key=lambda entry: entry[0])]

    def _read(self, source: Source) -> list[RawTable]:
        return read(source, sampling=self.study.samples)

    def _id(self, source: Source) -> str:
        return self.planned.sha256(source)[:12]
