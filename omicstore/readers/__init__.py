"""Readers: one module per family of upstream formats, all giving `RawTable`; `omicstore.formats` is their registry."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from omicstore.errors import StudyError
from omicstore.formats import get_format

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import polars as pl

    from omicstore.readers.table import RawTable
    from omicstore.slides.cache import FeatureCache
    from omicstore.sources import Sampling, Source

__all__ = ["expand", "has_outcomes", "iter_patches", "people", "profile_ids", "read"]


def read(source: Source, sampling: Sampling | None = None) -> list[RawTable]:
    """Read one upstream file, or one part of it (see `expand`).

    Parameters
    ----------
    source
        The file and what the study says of it.
    sampling
        The study's rule for ids that are no barcodes.

    Returns
    -------
    list of RawTable
        One or more: some files hold measurements and follow-up both.

    Raises
    ------
    SourceError
        If the file is not what the study says it is.
    """
    module, _, function = get_format(source.format).reader.partition(":")
    reader: Callable[[Source, Sampling | None], list[RawTable]] = getattr(import_module(module), function)
    return reader(source, sampling)


def expand(source: Source) -> list[Source]:
    """Return the parts of a source that holds several modalities or tables, or the source itself.

    Only headers are looked at. A part with a modality is a matrix, patches or reports; one without is a table of
    patients.

    Parameters
    ----------
    source
        As the study file has it. Its modality and part, where it has them, choose among the parts.

    Returns
    -------
    list of Source
        Each with what `read` needs: a modality and a unit, or neither.

    Raises
    ------
    SourceError
        If the file is not what the study says it is.
    StudyError
        If no part is of the modality that the study names.
    """
    form = get_format(source.format)
    if form.kind != "several":
        return [source]
    parts: list[Source] = import_module(form.reader.partition(":")[0]).expand(source)
    if not parts:
        raise StudyError(
            f"{source.path.name} holds nothing of modality {source.modality or 'any'}, part {source.part or 'any'}",
            expected="a modality and a part that are in it, or neither",
            run=f"omicstore sources {source.path}",
        )
    return parts


def profile_ids(source: Source) -> list[str] | None:
    """Return the raw profile ids of a matrix without reading its values; None if they stand in a delimited file."""
    module = import_module(get_format(source.format).reader.partition(":")[0])
    found: Callable[[Source], list[str]] | None = getattr(module, "profile_ids", None)
    return None if found is None else found(source)


def people(source: Source) -> pl.DataFrame | None:
    """Return who is who in a source that lists its samples; None for one that does not.

    Returns
    -------
    polars.DataFrame or None
        raw_id, sample_id, patient_id, sample_type (null where it is not said), patient_level (whether the raw id names
        the patient only).
    """
    module = import_module(get_format(source.format).reader.partition(":")[0])
    found: Callable[[Source], pl.DataFrame | None] | None = getattr(module, "people", None)
    return None if found is None else found(source)


def iter_patches(source: Source, slide: Mapping[str, Any], cache: FeatureCache) -> Iterator[pl.DataFrame]:
    """Read the patches of one slide of a source, some at a time.

    Parameters
    ----------
    source
        Of a format whose kind is ``patches``.
    slide
        A row of the table that `read` gave for it.
    cache
        Where features that were computed are kept.

    Yields
    ------
    polars.DataFrame
        patch (number from 0), x, y (pixels of level 0; null where not known), magnification (null where not known),
        encoder; features (array of float32) where there is an encoder; tile (JPEG) where tiles are kept.
    """
    module = import_module(get_format(source.format).reader.partition(":")[0])
    found: Iterator[pl.DataFrame] = module.iter_patches(source, slide, cache)
    return found


def has_outcomes(source: Source) -> bool:
    """Whether a source brings follow-up; where only reading can tell, its tables are read."""
    held = get_format(source.format).outcomes
    if held != "perhaps":
        return held == "yes"
    tables = (part for part in expand(source) if part.modality is None)
    return any(raw.kind == "outcome" and raw.frame is not None and raw.frame.height for t in tables for raw in read(t))
