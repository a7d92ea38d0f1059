"""The sentence vectors of the reports of a cohort."""

from __future__ import annotations

import hashlib
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import polars as pl

from omicstore.text.encoder import load, text_encoder_name
from omicstore.text.sentences import split_sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["CHUNK", "SCHEMA", "embed", "sentence_vectors"]

#: Reports that are encoded, and kept, together: a few seconds of work, which is what an interruption costs.
CHUNK = 8

SCHEMA: dict[str, Any] = {
    "profile_id": pl.String,
    "encoder": pl.String,
    "n_sentences": pl.Int64,
    "embeddings": pl.List(pl.Float32),
}


class Keep(Protocol):
    """Returns frames that were made before, or makes them; `omicstore.slides.cache.FeatureCache.patches` is one."""

    def __call__(self, facts: Mapping[str, Any], make: Callable[[], Iterable[pl.DataFrame]]) -> Iterator[pl.DataFrame]:
        """Return what depends on those facts."""


def embed(reports: pl.DataFrame, model: str, weights: str | None, keep: Keep) -> Iterator[pl.DataFrame]:
    """Yield the vectors of the sentences of reports, a chunk of reports at a time.

    Parameters
    ----------
    reports
        profile_id and text, in the order of which the chunks are made.
    model
        See `omicstore.text.encoder.TextEncoder`.
    weights
        The hash of the model's folder, where the study names one.
    keep
        Returns the frames that were made before from the same texts by the same model, or makes them.

    Yields
    ------
    polars.DataFrame
        In the columns of `SCHEMA`; ``embeddings`` are (n_sentences, d), row after row.
    """
    name = text_encoder_name(model)
    for chunk in reports.select("profile_id", "text").iter_slices(CHUNK):
        names, texts = chunk["profile_id"].to_list(), chunk["text"].to_list()
        digest = hashlib.sha256("\0".join([*names, *texts]).encode()).hexdigest()
        facts = {"kind": "sentences", "texts": digest, "encoder": name, "weights": weights}
        yield from keep(facts, partial(_encoded, names, texts, model))


def _encoded(names: Sequence[str], texts: Sequence[str], model: str) -> Iterator[pl.DataFrame]:
    encoder = load(model)
    sentences = [split_sentences(text) for text in texts]
    values = encoder([sentence for report in sentences for sentence in report])
    borders = np.cumsum([0, *map(len, sentences)])
    flat = [values[a:b].ravel() for a, b in pairwise(borders)]
    yield pl.DataFrame(
        {"profile_id": names, "encoder": encoder.name, "n_sentences": [len(s) for s in sentences], "embeddings": flat},
        schema=SCHEMA,
    )


def sentence_vectors(embeddings: pl.Series, n_sentences: pl.Series) -> list[NDArray[np.float32]]:
    """Return the vectors of each report, (n_sentences, d) float32, from the columns of the store.

    Examples
    --------
    >>> sentence_vectors(pl.Series([[1.0, 2.0, 3.0, 4.0]], dtype=pl.List(pl.Float32)), pl.Series([2]))[0].shape
    (2, 2)
    """
    pairs = zip(embeddings, n_sentences, strict=True)
    return [values.to_numpy().reshape(n, -1) for values, n in pairs]
