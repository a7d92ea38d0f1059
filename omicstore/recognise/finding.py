"""What was found out about one file or folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Finding", "Part"]


@dataclass(frozen=True, slots=True)
class Part:
    """One of the modalities or tables that a file or folder holds."""

    modality: str | None
    unit: str | None
    part: str | None


@dataclass(slots=True)
class Finding:
    """What a file or folder is, as far as its first part tells.

    Attributes
    ----------
    path
        The file or folder.
    kind
        ``source``, ``reference``, ``other`` (known, and no source), ``unknown`` (nothing fits) or ``damaged``.
    format
        As in the study file; None unless it is a source or a reference.
    reason
        Of a file that is no source: what it is. Of a damaged one: the error.
    modality, unit, orientation, cohort
        As in the study file, or None.
    features, profiles
        What the ids of features and of profiles are, see `omicstore.recognise.ids`.
    n_samples
        How many profiles or rows it has, where its first part tells.
    reference
        Of a reference: its kind in the study file (genes, symbols, probes, sites, metabolites).
    keys
        Further keys of its entry in the study file.
    parts
        What it holds, if several things.
    unsure
        The fields that are guesses, and for each what would settle it.
    notes
        What else a person must know.
    ids
        The first ids of its profiles or patients, as far as they were read.
    """

    path: Path
    kind: Literal["source", "reference", "other", "unknown", "damaged"]
    format: str | None = None
    reason: str = ""
    modality: str | None = None
    unit: str | None = None
    orientation: str | None = None
    cohort: str | None = None
    features: str | None = None
    profiles: str | None = None
    n_samples: int | None = None
    reference: str | None = None
    keys: dict[str, Any] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    unsure: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    ids: tuple[str, ...] = ()
