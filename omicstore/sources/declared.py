"""What a study declares: its sources, reference tables, and how ids become samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from omicstore.formats import FORMATS

__all__ = ["ENDPOINTS", "UPSTREAM_FITS", "FollowUp", "Reference", "Sampling", "Source", "Study"]

ENDPOINTS = ("OS", "DSS", "PFI", "DFI")

UPSTREAM_FITS = ("none", "per_cohort", "all_samples", "unknown")


@dataclass(frozen=True, slots=True)
class FollowUp:
    """The columns of a table that hold an endpoint.

    Attributes
    ----------
    time, event
        The column of the time from diagnosis to event or last visit, and of whether the event came.
    unit
        Of the time: ``days``, ``months`` or ``years``.
    """

    time: str
    event: str
    unit: str = "days"


@dataclass(frozen=True, slots=True)
class Source:
    """One upstream file and what is known of it.

    Attributes
    ----------
    path
        The file, or the folder for formats that have one file per slide.
    format
        One of `omicstore.formats.FORMATS`.
    modality, cohort, unit, platform
        What the file measures, in whom, in which unit (an expression such as ``log2(tpm+0.001)``), on which array.
        A table of patients of several cohorts has no cohort.
    id
        The id column; the first one where absent.
    select, drop
        Feature columns or rows to keep or to leave out: names, or regular expressions that are searched.
    missing
        Extra tokens that stand for a missing value.
    orientation
        ``features_in_rows`` or ``features_in_columns``; guessed where absent.
    keep_probes
        Store probe-level methylation too.
    labels
        Task name to column.
    outcomes
        Endpoint (OS, DSS, PFI, DFI) to the columns of a ``clinical-table`` that hold it, where their names do not say.
    text
        The text column of a report table.
    upstream_fit
        Over which samples the upstream normalisation was fitted: one of `UPSTREAM_FITS`.
    part
        The one part to take of a file or folder that holds several: a stable id of a cBioPortal study, a modality of
        an h5mu file, a layer of an h5ad file.
    redact
        Of reports: the tasks whose labels are to be taken out of the text, of `omicstore.text.vocabulary.TASKS` or of
        the study's own labels.
    redact_words
        Further words to take out, ``*`` for any ending, and regular expressions between slashes.
    encoder
        Of slides: the vision model, a folder or a Hugging Face id. Of patch features: its name, where the files do
        not tell it. Of reports: the sentence encoder, likewise, or the name of a packaged one.
    magnification
        Of slides: at which they are cut (20 where absent). Of tile images and patch features: what they have, where the
        files do not tell it.
    level0_magnification
        Of slides that do not say at which magnification they were scanned.
    tile_size
        The side of a slide's tiles, in pixels at `magnification`.
    keep_tiles
        Store the tiles too, as JPEG.
    exposure
        Data sets (``TCGA``) or cohorts (``TCGA-BRCA``) that the encoder has seen in pre-training; empty (``none``) for
        nothing, ``unknown``, or None for what `omicstore.slides.exposure` knows of it.
    url, sha256, licence
        Where the file comes from, its hash (64 hexadecimal digits), and the terms it comes under.
    """

    path: Path
    format: str
    modality: str | None = None
    cohort: str | None = None
    unit: str | None = None
    platform: str | None = None
    id: str | None = None
    select: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    orientation: str | None = None
    keep_probes: bool = False
    labels: dict[str, str] = field(default_factory=dict)
    outcomes: dict[str, FollowUp] = field(default_factory=dict)
    text: str | None = None
    upstream_fit: str | None = None
    part: str | None = None
    redact: tuple[str, ...] = ()
    redact_words: tuple[str, ...] = ()
    encoder: str | None = None
    magnification: float | None = None
    level0_magnification: float | None = None
    tile_size: int = 256
    keep_tiles: bool = False
    exposure: tuple[str, ...] | None = None
    url: str | None = None
    sha256: str | None = None
    licence: str | None = None

    @property
    def is_table(self) -> bool:
        """Whether this is a table of patients rather than measurements."""
        return FORMATS[self.format].kind == "table"


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference table: genes, symbols, probes, sites or metabolites."""

    kind: str
    path: Path
    format: str
    platform: str | None = None


@dataclass(frozen=True, slots=True)
class Sampling:
    """How ids become samples and patients where there is no barcode grammar.

    Attributes
    ----------
    path
        A table with the columns column, sample_id, patient_id, cohort, sample_type; or None.
    origin
        ``id`` (each id is its own patient and sample) or ``column`` (`pattern` finds patient and type).
    pattern
        A regular expression with the groups ``patient`` and ``type``.
    types
        What ``type`` stands for.
    cohort, sample_type
        Of every sample, where the pattern does not say.
    tissue
        A regular expression whose first group, searched in the id, is the tissue.
    """

    path: Path | None = None
    origin: str | None = None
    pattern: str | None = None
    types: dict[str, str] = field(default_factory=dict)
    cohort: str | None = None
    sample_type: str | None = None
    tissue: str | None = None


@dataclass(frozen=True, slots=True)
class Study:
    """The study section of params.yaml, checked, with paths resolved.

    Attributes
    ----------
    dataset
        The programme or collection, e.g. ``tcga``.
    cohorts
        The cohorts to build, upper case, in the order of the file.
    sources
        The files, in the order of precedence.
    references
        The reference tables; several may have the kind ``probes``.
    samples
        How ids become samples, for programmes without barcodes.
    simulated
        Whether the data was made by `omicstore simulate`.
    root
        The folder that relative paths are relative to.
    """

    dataset: str
    cohorts: tuple[str, ...]
    sources: tuple[Source, ...]
    references: tuple[Reference, ...] = ()
    samples: Sampling | None = None
    simulated: bool = False
    root: Path = Path()

    def sources_of(self, cohort: str) -> tuple[Source, ...]:
        """Return the sources that a cohort's build reads: its own, and those of no particular cohort."""
        return tuple(s for s in self.sources if s.cohort in (None, cohort))

    def reference(self, kind: str) -> Reference | None:
        """Return the first reference of a kind, or None."""
        return next((r for r in self.references if r.kind == kind), None)
