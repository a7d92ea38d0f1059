"""What a query returns: the samples it found, and their numbers once they are asked for."""

from __future__ import annotations

from contextlib import contextmanager
from copy import copy
from typing import TYPE_CHECKING, overload

import numpy as np
import polars as pl

from omicstore.errors import StoreError, UnknownNameError
from omicstore.extras import extra
from omicstore.modalities import MODALITIES
from omicstore.store.found import Found
from omicstore.store.patches import (
    every_patch,
    iter_patches,
    of_encoder,
    pick_column,
    slide_prototypes,
    slide_table,
)
from omicstore.store.reports import report_prototypes, report_table, sentence_table
from omicstore.store.rows import RowReader
from omicstore.store.values import read_values
from omicstore.units import LINEAR_UNITS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import anndata
    import mudata
    import pandas as pd
    import torch
    from numpy.typing import NDArray

    from omicstore.store.patches import SlidePrototypes
    from omicstore.store.reports import ReportPrototypes

__all__ = ["Cohort"]


class Cohort(Found):
    """The samples that a query chose; a row is a sample. Numbers are read when a ``to_...`` is called.

    The attributes are those of `Found`.
    """

    @overload
    def to_numpy(self) -> dict[str, NDArray[np.float32]]: ...
    @overload
    def to_numpy(self, modality: str) -> NDArray[np.float32]: ...
    def to_numpy(self, modality: str | None = None) -> NDArray[np.float32] | dict[str, NDArray[np.float32]]:
        """Return the numbers of one modality, or of all that are matrices, by name.

        Returns
        -------
        numpy.ndarray or dict
            (n_samples, n_features) float32, rows as in `samples`, columns as in `features`; NaN where missing, a whole
            row of it where a sample lacks the modality. On the asked scale; through the state, where there is one.
        """
        if modality is None:
            return {m: self.to_numpy(m) for m in self._features}
        name = self._matrix(modality)
        self._open([name])
        with self._reading(name):
            values = read_values(self.store, self._table, name, self._features[name])
        self._to_scale(values, name)
        if self.split is None or self.split.state is None:
            return values
        ids = self._feature_table(name)["feature_id"].to_list()
        return np.asarray(self.split.state.apply(name, values, ids), np.float32)

    @contextmanager
    def _reading(self, modality: str) -> Iterator[None]:
        import pyarrow as pa  # not before numbers are read: counting samples needs none of it

        try:
            yield
        except (OSError, EOFError, pa.ArrowException) as error:
            why = " ".join(str(error).split()) or "it ends too early"
            raise StoreError(
                f"a file of {modality} in {self.store.root} cannot be read ({why.rstrip('. ')})",
                expected="the files that store.json names",
                run="dvc checkout, or build the store again",
            ) from error

    def row_reader(self, modality: str) -> RowReader:
        """Return what reads rows of `to_numpy` by their numbers, again and again: the batches of a training.

        Of a test part this is logged as a read, once.
        """
        name = self._matrix(modality)
        self._open([name])
        state = None if self.split is None else self.split.state
        ids = self._feature_table(name)["feature_id"].to_list()
        amounts = self._amounts(name)

        def finish(values: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
            self._scale(values, amounts[rows])
            return values if state is None else np.asarray(state.apply(name, values, ids), np.float32)

        with self._reading(name):
            return RowReader(self.store, self._table, name, self._features[name], finish)

    def columns(self, modality: str, start: int, stop: int) -> NDArray[np.float32]:
        """Return columns `start` to `stop` of `to_numpy`: a fit takes those of training rows block by block.

        No others are read, unless there is a state: what comes through it may depend on all.
        """
        name = self._matrix(modality)
        if self.split is not None and self.split.state is not None:
            return self.to_numpy(name)[:, start:stop]
        part = copy(self)
        part._features = self._features | {name: self._features[name][start:stop]}
        return part.to_numpy(name)

    def blocks(self, modality: str, most_bytes: int = 64 << 20) -> Iterator[NDArray[np.float32]]:
        """Yield `to_numpy` of the samples that have a modality, some rows at a time, to hold no more in memory."""
        name = self._matrix(modality)
        self._open([name])
        rows = np.flatnonzero(self.samples[f"has_{name}"].to_numpy())
        step = max(1, most_bytes // (4 * max(1, len(self._features[name]))))
        for start in range(0, len(rows), step):
            part = self.take(rows[start : start + step])
            part._logged = True
            yield part.to_numpy(name)

    def _to_scale(self, values: NDArray[np.float32], modality: str) -> None:
        self._scale(values, self._amounts(modality))

    def _amounts(self, modality: str) -> NDArray[np.bool_]:
        """Return (n,): the rows that a scale is for."""
        amounts = [c for c, unit in self.units[modality].items() if unit in LINEAR_UNITS]
        rows: NDArray[np.bool_] = self._table["cohort"].is_in(amounts).to_numpy()
        return rows

    def _scale(self, values: NDArray[np.float32], rows: NDArray[np.bool_]) -> None:
        if self.question.scale == "linear":
            return
        chosen = slice(None) if rows.all() else rows
        part = values[chosen]
        part += 1
        (np.log2 if self.question.scale == "log2p1" else np.log10)(part, out=part)
        values[chosen] = part

    def to_polars(self, modality: str) -> pl.DataFrame:
        """Return sample_id and a column per feature_id, for the samples that have the modality.

        Of reports: sample_id, patient_id, text, ...; of patches: a row per patch.
        """
        if MODALITIES[self._asked(modality)].kind != "matrix":
            return self._records(self._asked(modality))
        have = self.samples[f"has_{self._matrix(modality)}"].to_numpy()
        values = np.ascontiguousarray(self.to_numpy(modality)[have].T)
        columns = {name: values[i] for i, name in enumerate(self.features(modality)["feature_id"])}
        return pl.DataFrame({"sample_id": self.samples["sample_id"].filter(pl.Series(have))} | columns)

    def _records(self, modality: str) -> pl.DataFrame:
        ids = self._who(modality)
        self._open([modality])
        if modality == "report":
            return report_table(self.store, ids)
        return every_patch(self.store, slide_table(self.store, ids))

    def slides(self) -> pl.DataFrame:
        """One row per slide and encoder: slide_id, sample_id, patient_id, cohort, encoder, n_patches, path."""
        return slide_table(self.store, self._who("patches"))

    def patches(self, slide_id: str, encoder: str | None = None) -> Iterator[pl.DataFrame]:
        """Yield the patches of one of the `slides`, about a thousand at a time; the encoder where it has several."""
        slides = self.slides()
        if slide_id not in slides["slide_id"]:
            raise UnknownNameError("slide of this query", slide_id, slides["slide_id"].to_list())
        self._open(["patches"])
        slide = of_encoder(slides.filter(pl.col("slide_id") == slide_id), encoder)
        return iter_patches(self.store, slide["path"][0])

    def pick_patches(
        self, chosen: Mapping[str, Sequence[int]], column: str, encoder: str | None = None
    ) -> Iterator[tuple[str, pl.Series]]:
        """Yield of each chosen slide its id and one column of some of its patches, one slide in memory at a time.

        Parameters
        ----------
        chosen
            Slide ids, each with the places of patches in the slide: ascending, from 0.
        column
            ``features`` or ``tile``.
        encoder
            Need not be named where there is one.
        """
        slides = of_encoder(self.slides(), encoder)
        paths = dict(slides.select("slide_id", "path").iter_rows())
        for slide_id in chosen:
            if slide_id not in paths:
                raise UnknownNameError("slide of this query", slide_id, paths)
        self._open(["patches"])
        for slide_id, rows in chosen.items():
            yield slide_id, pick_column(self.store, paths[slide_id], rows, column)

    def prototypes(self, k: int = 16, seed: int = 0, encoder: str | None = None) -> SlidePrototypes:
        """Return `k` prototypes of each slide, each fitted on its own; see `omicstore.slides.prototypes`.

        Raises
        ------
        UsageError
            If there is no slide, or there are features of several encoders and none is named.
        """
        slides = of_encoder(self.slides(), encoder)
        self._open(["patches"])
        return slide_prototypes(self.store, slides, k, seed)

    def reports(self, redact: str | Sequence[str] = ()) -> pl.DataFrame:
        """Return sample_id, patient_id, text, ... of the reports, with the words of tasks taken out of the text."""
        ids = self._who("report")
        self._open(["report"])
        return report_table(self.store, ids, redact)

    def sentences(self) -> pl.DataFrame:
        """Return a row per sentence of the reports: whose, its text, the encoder, and its features FLOAT[d]."""
        ids = self._who("report")
        self._open(["report"])
        return sentence_table(self.store, ids)

    def report_prototypes(self, k: int = 16, seed: int = 0) -> ReportPrototypes:
        """Return `k` prototypes of the sentences of each report, each fitted on its own."""
        ids = self._who("report")
        self._open(["report"])
        return report_prototypes(self.store, ids, k, seed)

    def to_pandas(self, modality: str) -> pd.DataFrame:
        """Return the same as a data frame of pandas with sample_id as its index.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        pandas = extra("pandas")
        have = self.samples[f"has_{self._matrix(modality)}"].to_numpy()
        ids = self.samples["sample_id"].filter(pl.Series(have)).to_list()
        frame: pd.DataFrame = pandas.DataFrame(
            self.to_numpy(modality)[have],
            index=pandas.Index(ids, name="sample_id"),
            columns=pandas.Index(self.features(modality)["feature_id"].to_list(), name="feature_id"),
        )
        return frame

    def to_torch(self) -> dict[str, torch.Tensor]:
        """Return `to_numpy` as float32 tensors that share its memory.

        Raises
        ------
        MissingExtraError
            If torch is not installed.
        """
        torch = extra("torch", "models")
        return {m: torch.from_numpy(values) for m, values in self.to_numpy().items()}

    def to_anndata(self, modality: str) -> anndata.AnnData:
        """Return a matrix modality as an AnnData: obs are the samples that have it, with `clinical`, var the features.

        Raises
        ------
        MissingExtraError
            If anndata is not installed.
        """
        from omicstore.store.scverse import to_anndata

        return to_anndata(self, self._matrix(modality))

    def to_mudata(self) -> mudata.MuData:
        """Return a MuData with an AnnData per matrix modality: obs are the samples that have it, var the features.

        Variables are named ``<modality>:<feature_id>``, since a gene can be in several modalities. What is known of the
        samples (`clinical`) stands in the obs of the whole; ``push_obs`` of MuData copies it to the modalities.

        Raises
        ------
        MissingExtraError
            If mudata is not installed.
        """
        from omicstore.store.scverse import to_mudata

        return to_mudata(self)
