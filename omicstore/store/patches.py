"""Reading the patches of slides: which slides there are, one slide some patches at a time, and prototypes of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.errors import StoreError, UnknownNameError, UsageError
from omicstore.store.filesystem import broken_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from omicstore.store.reader import Store

__all__ = [
    "SlidePrototypes",
    "every_patch",
    "iter_patches",
    "of_encoder",
    "pick_column",
    "slide_prototypes",
    "slide_table",
]

_SLIDES = {
    "slide_id": pl.String, "sample_id": pl.String, "patient_id": pl.String, "cohort": pl.String,
    "encoder": pl.String, "n_patches": pl.Int64, "path": pl.String,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SlidePrototypes:
    """Prototypes of several slides; see `omicstore.slides.prototypes.Prototypes`.

    Attributes
    ----------
    slides
        n rows: slide_id, sample_id, patient_id, cohort, encoder, n_patches.
    means, variances
        (n, k, d) float32, NaN where a slide has fewer than k.
    weights
        (n, k) float32.
    """

    slides: pl.DataFrame
    means: NDArray[np.float32]
    weights: NDArray[np.float32]
    variances: NDArray[np.float32]


def slide_table(store: Store, samples: pl.DataFrame) -> pl.DataFrame:
    """Return the slides of some samples: a row per slide and encoder, sorted.

    Parameters
    ----------
    store
        An open store.
    samples
        cohort, sample_id, patient_id.

    Returns
    -------
    polars.DataFrame
        slide_id, sample_id, patient_id, cohort, encoder, n_patches, and path, the file in the store.
    """
    rows = [
        store.read_table(path, ["slide_id", "sample_id", "encoder"])
        .head(1)
        .with_columns(cohort=pl.lit(cohort), n_patches=pl.lit(store.body["files"][path]["rows"]), path=pl.lit(path))
        for cohort in samples["cohort"].unique().sort()
        for path in store.patch_files(cohort)
    ]
    if not rows:
        return pl.DataFrame(schema=_SLIDES)
    known = samples.select("cohort", "sample_id", "patient_id")
    found = pl.concat(rows).join(known, on=["cohort", "sample_id"], how="inner")
    return found.select(pl.col(c).cast(t) for c, t in _SLIDES.items()).sort("cohort", "slide_id", "encoder")


def of_encoder(slides: pl.DataFrame, encoder: str | None) -> pl.DataFrame:
    """Return the slides with features of an encoder; it need not be named where there is one.

    Raises
    ------
    UnknownNameError
        If no slide has features of that encoder.
    UsageError
        If none is named and there are several, or none.
    """
    names = slides["encoder"].unique().sort().to_list()
    if encoder is None and len(names) != 1:
        found = f"slides of several encoders: {', '.join(names)}" if names else "no slide"
        raise UsageError(found, expected="one encoder", run=f"encoder={names[0]!r}" if names else "omicstore info")
    if encoder is not None and encoder not in names:
        raise UnknownNameError("encoder", encoder, names)
    return slides.filter(pl.col("encoder") == (encoder or names[0]))


def iter_patches(store: Store, path: str, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
    """Yield the patches of a slide's file, a row group (about a thousand) at a time.

    Raises
    ------
    StoreError
        If the file is absent or broken.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    place, system = store.files.arrow_source(path)
    try:
        with pq.ParquetFile(place, filesystem=system) as file:
            for i in range(file.num_row_groups):
                yield pl.DataFrame(pl.from_arrow(file.read_row_group(i, None if columns is None else list(columns))))
    except (OSError, pa.ArrowException) as error:
        raise broken_file(store.files.url, path, error) from None


def pick_column(store: Store, path: str, rows: Sequence[int], column: str) -> pl.Series:
    """Return one column of some patches of a slide's file, in their order.

    Parameters
    ----------
    store, path
        An open store, and the file.
    rows
        Places in the file, ascending, from 0.
    column
        ``features`` or ``tile``.

    Raises
    ------
    StoreError
        If the file lacks the column.
    """
    wanted, start, found = np.asarray(rows, dtype=np.int64), 0, []
    for frame in iter_patches(store, path):
        if column not in frame.columns:
            raise StoreError(
                f"{path} holds no {column} of its patches",
                expected="features, or tiles that were kept",
                run="name encoder: in the source of patches, or keep_tiles: true, and build again",
            )
        here = wanted[(wanted >= start) & (wanted < start + frame.height)] - start
        found.append(frame[column].gather(here))
        start += frame.height
    return pl.concat(found)


def every_patch(store: Store, slides: pl.DataFrame) -> pl.DataFrame:
    """Return the patches of all `slides` as one table.

    Raises
    ------
    UsageError
        If their features are of different lengths.
    """
    frames = [store.read_table(path) for path in slides["path"]]
    kinds = {repr(frame.schema.get("features")): frame["encoder"][0] for frame in frames if "features" in frame.columns}
    if len(kinds) > 1:
        raise UsageError(
            f"features of {' and '.join(sorted(kinds.values()))} do not fit in one table",
            expected="slides of one encoder",
            run="read them with slides() and patches(slide_id, encoder)",
        )
    return pl.concat(frames, how="diagonal") if frames else pl.DataFrame()


def slide_prototypes(store: Store, slides: pl.DataFrame, k: int, seed: int) -> SlidePrototypes:
    """Fit the prototypes of each slide on its own, one slide in memory at a time, and of that a sample.

    Raises
    ------
    UsageError
        If there is no slide.
    StoreError
        If slides have no features, or of different lengths.
    """
    from omicstore.progress import task
    from omicstore.slides.prototypes import prototypes, sampled

    if slides.is_empty():
        raise UsageError("no slide to find prototypes of", expected="samples with patches", run="omicstore info")
    widths: set[Any] = set()
    for cohort, encoder in slides.select("cohort", "encoder").unique().iter_rows():
        widths.add(store.body["patches"][cohort]["encoders"].get(encoder))
    if None in widths or len(widths) != 1:
        raise StoreError(
            f"features of {slides['encoder'][0]} have the lengths {', '.join(map(str, sorted(widths, key=str)))}",
            expected="one length; None is of tiles that are stored without features",
            run="name encoder: in the sources of patches",
        )
    found = []
    with task("finding prototypes", slides.height, "slides") as advance:
        for path in slides["path"]:
            parts = (frame["features"].to_numpy() for frame in iter_patches(store, path, ["features"]))
            found.append(prototypes(sampled(parts, seed), k, seed))
            advance()
    return SlidePrototypes(
        slides.drop("path"),
        means=np.stack([f.means for f in found]),
        weights=np.stack([f.weights for f in found]),
        variances=np.stack([f.variances for f in found]),
    )
