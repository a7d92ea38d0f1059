"""The tables that a split is made from, and the samples that it speaks of."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Protocol

import polars as pl

from omicstore.errors import SplitError, UnknownNameError
from omicstore.schema import LABELS, OUTCOMES, PATIENTS, PROFILES, PROVENANCE, TABLES, Table
from omicstore.splits.batches import MatrixStore
from omicstore.splits.similar import similar_profiles
from omicstore.store.splitfile import frame_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from omicstore.splits.similar import Similar
    from omicstore.splits.spec import SplitSpec
    from omicstore.store.registry import Retraction

__all__ = ["Catalogue", "StoreLike", "Universe", "read_aliases", "universe"]

ALIASES = Table("aliases", {"patient_id": pl.String, "alias": pl.String}, ("patient_id", "alias"))


class StoreLike(MatrixStore, Protocol):
    """What a split needs of an open store."""

    @property
    def release(self) -> str:
        """The release id."""

    @property
    def simulated(self) -> bool:
        """Whether the data is simulated."""

    @property
    def retractions(self) -> list[Retraction]:
        """All releases and patients that were retracted."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The catalogue of a store, as plain frames in the columns of `omicstore.schema`, and a look at its numbers.

    Columns that a frame lacks are null. Only `profiles` must hold rows.

    Attributes
    ----------
    profiles, patients, outcomes, labels, provenance
        The tables.
    aliases
        patient_id, alias: the same person under two names; or None where nobody looked.
    release
        The release id of the store they were read from.
    simulated
        Whether the data is simulated.
    retractions
        Releases and patients that were retracted, of this release and others.
    similar
        Gives the profiles of different patients that are too much alike, found when it is first called; or None where
        the numbers are not at hand.
    """

    profiles: pl.DataFrame
    patients: pl.DataFrame = field(default_factory=pl.DataFrame)
    outcomes: pl.DataFrame = field(default_factory=pl.DataFrame)
    labels: pl.DataFrame = field(default_factory=pl.DataFrame)
    provenance: pl.DataFrame = field(default_factory=pl.DataFrame)
    aliases: pl.DataFrame | None = None
    release: str = ""
    simulated: bool = False
    retractions: tuple[Retraction, ...] = ()
    similar: Callable[[], Similar] | None = None

    def __post_init__(self) -> None:
        for table in (PROFILES, PATIENTS, OUTCOMES, LABELS, PROVENANCE):
            object.__setattr__(self, table.name, table.conform(getattr(self, table.name)))
        if self.aliases is not None:
            object.__setattr__(self, "aliases", ALIASES.conform(self.aliases))

    @classmethod
    def of(cls, store: StoreLike, aliases: pl.DataFrame | None = None) -> Catalogue:
        """Read the catalogue of an open store, which has to stay open while the catalogue is used."""

        @cache
        def similar() -> Similar:
            return similar_profiles(store)

        frames = {name: store.table(name) for name in TABLES}
        return cls(
            **frames,
            aliases=aliases,
            release=store.release,
            simulated=store.simulated,
            retractions=tuple(store.retractions),
            similar=similar,
        )

    def retracted(self, releases: Iterable[str], patients: Iterable[str]) -> list[Retraction]:
        """Return the retractions of any of these releases and patients."""
        among = {"release": set(releases), "patient": set(patients)}
        return [r for r in self.retractions if r.what in among[r.kind]]

    @property
    def cohorts(self) -> tuple[str, ...]:
        """The cohorts that have profiles, sorted."""
        return tuple(sorted(self.profiles["cohort"].unique().to_list()))

    def chosen(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the cohorts of that names, or all where none is named.

        Raises
        ------
        UnknownNameError
            If the catalogue has no such cohort.
        """
        for name in names:
            if name not in self.cohorts:
                raise UnknownNameError("cohort in split.cohorts", name, self.cohorts)
        return tuple(sorted(names)) or self.cohorts

    def hashes(self, cohorts: Sequence[str]) -> dict[str, str]:
        """Return the content hash of each table, over the rows of `cohorts`; of columns that are part of a release."""
        found = {}
        for name, table in TABLES.items():
            frame: pl.DataFrame = getattr(self, name)
            found[name] = frame_hash(frame.filter(pl.col("cohort").is_in(list(cohorts))).drop(list(table.unhashed)))
        if self.aliases is not None:
            found["aliases"] = frame_hash(self.aliases)
        return found


@dataclass(frozen=True, slots=True)
class Universe:
    """Who is to be split, and who is not.

    Attributes
    ----------
    samples
        cohort, sample_id, patient_id, sample_type, site (null where unknown), modalities (sorted list); one row per
        sample and cohort, sorted.
    exclusions
        cohort, patient_id, sample_id (null for a patient without samples), rule, reason; sorted.
    """

    samples: pl.DataFrame
    exclusions: pl.DataFrame


def universe(catalogue: Catalogue, spec: SplitSpec) -> Universe:
    """Return the samples of the chosen cohorts: of every sample type, with or without outcome.

    A patient's normals and metastases are in it, so that they travel with the tumour; a sample without outcome is,
    since it can teach an encoder. Left out, by name, are samples without the asked modalities and patients without
    any sample.

    Raises
    ------
    SplitError
        If nothing is left.
    """
    cohorts = list(catalogue.chosen(spec.cohorts))
    sites = catalogue.patients.select("cohort", "patient_id", patient_site="site").unique(
        ["cohort", "patient_id"], keep="first"
    )
    samples = (
        catalogue.profiles.filter(pl.col("cohort").is_in(cohorts))
        .sort("cohort", "sample_id", "modality", "profile_id")
        .group_by("cohort", "sample_id", maintain_order=True)
        .agg(
            pl.col("patient_id").min(),
            pl.col("sample_type").drop_nulls().first(),
            pl.col("site").drop_nulls().first(),
            modalities=pl.col("modality").unique().sort(),
        )
        .join(sites, on=["cohort", "patient_id"], how="left", maintain_order="left")
        .with_columns(site=pl.coalesce("site", "patient_site"))
        .drop("patient_site")
    )
    wanted = pl.lit(value=True)
    if spec.modalities:
        held = [pl.col("modalities").list.contains(m) for m in spec.modalities]
        wanted = pl.any_horizontal(held) if spec.require == "any" else pl.all_horizontal(held)
    wish = f"{spec.require} of {', '.join(spec.modalities)}" if spec.modalities else "a profile"
    left_out = samples.filter(~wanted).select(
        "cohort", "patient_id", "sample_id", rule=pl.lit("modalities"), reason=pl.lit(f"does not have {wish}")
    )
    without = (
        catalogue.patients.filter(pl.col("cohort").is_in(cohorts))
        .join(samples, on=["cohort", "patient_id"], how="anti")
        .select(
            "cohort",
            "patient_id",
            sample_id=pl.lit(None, dtype=pl.String),
            rule=pl.lit("no_sample"),
            reason=pl.lit("the patient has no profile"),
        )
    )
    exclusions = pl.concat([left_out, without]).sort("cohort", "patient_id", "sample_id", nulls_last=True)
    samples = samples.filter(wanted)
    if samples.is_empty():
        raise SplitError(
            f"no sample of {', '.join(cohorts)} has {wish}",
            expected="samples to split",
            run="change split.cohorts or split.modalities in params.yaml; omicstore info lists what is there",
        )
    return Universe(samples, exclusions)


def read_aliases(path: Path) -> pl.DataFrame:
    """Read the table of people under two names.

    Raises
    ------
    SplitError
        If the file is absent or lacks the columns patient_id and alias.
    """
    expected, run = "a CSV with the columns patient_id and alias", "correct split.aliases in params.yaml"
    if not path.is_file():
        raise SplitError(f"the alias table {path} does not exist", expected=expected, run=run)
    try:
        frame = pl.read_csv(path, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise SplitError(
            f"the alias table {path} cannot be read: {str(error).splitlines()[0]}", expected=expected, run=run
        ) from error
    if missing := sorted({"patient_id", "alias"} - set(frame.columns)):
        raise SplitError(f"the alias table {path} has no column {missing[0]}", expected=expected, run=run)
    return frame.select("patient_id", "alias").drop_nulls().unique().sort("patient_id", "alias")
