"""What a query returns: samples, and their numbers once they are asked for."""

from __future__ import annotations

from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import polars as pl

from omicstore.errors import StoreError, UnknownNameError, UsageError
from omicstore.extras import extra
from omicstore.modalities import MODALITIES
from omicstore.store.catalog import profile_column
from omicstore.store.clinical import clinical_table
from omicstore.store.describe import has_modality
from omicstore.store.patches import every_patch, iter_patches, of_encoder, slide_prototypes, slide_table
from omicstore.store.query import LINEAR_UNITS
from omicstore.store.reports import report_prototypes, report_table, sentence_table
from omicstore.store.values import read_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import anndata
    import mudata
    import pandas as pd
    import torch
    from numpy.typing import NDArray

    from omicstore.store.enforce import SplitRead
    from omicstore.store.patches import SlidePrototypes
    from omicstore.store.query import Question
    from omicstore.store.reader import Store
    from omicstore.store.reports import ReportPrototypes

__all__ = ["Cohort"]


class Cohort:
    """The samples that a query chose; a row is a sample. Numbers are read when a ``to_...`` is called.

    Attributes
    ----------
    store
        Where the numbers come from; it must stay open until they are read.
    question
        The query with its names resolved.
    modalities
        The asked modalities.
    units
        Per matrix modality the unit of each cohort, as the store holds it.
    left_out
        Samples that would match but for their type, by type.
    warnings
        What the caller should know before using the result.
    notes
        What the query did that was asked for.
    marked
        ``split`` where the rows are a part of a split, else ``unsplit``: no checkpoint can be made from these.
    """

    def __init__(
        self,
        *,
        store: Store,
        question: Question,
        table: pl.DataFrame,
        sample_types: list[str],
        left_out: dict[str, int],
        features: dict[str, NDArray[np.int64]],
        units: dict[str, dict[str, str]],
        warnings: list[str],
        notes: list[str],
        split: SplitRead | None,
    ) -> None:
        self.store, self.question, self.units, self.split = store, question, units, split
        self.modalities: list[str] = list(question.modalities)
        self.left_out, self.warnings, self.notes = left_out, warnings, notes
        self.marked = "unsplit" if split is None else "split"
        self._table, self._sample_types, self._features = table, sample_types, features
        self._logged = False

    def __repr__(self) -> str:
        held = ", ".join(f"{m} {n}" for m, n in self._counts.items())
        simulated = ", simulated data" if self.store.simulated else ""
        cohorts = ", ".join(self.question.cohorts)
        return f"<Cohort {cohorts}: {self._table.height} samples ({held}), {self.marked}{simulated}>"

    def __len__(self) -> int:
        return self._table.height

    def take(self, rows: NDArray[np.integer[Any]]) -> Cohort:
        """Return the same query with only some of its samples; `rows` are positions in `samples`, in any order.

        The rows of the result stay sorted by cohort and sample_id.
        """
        part = copy(self)
        part.__dict__.pop("samples", None)
        part.__dict__.pop("_counts", None)
        part._table = self._table[np.unique(rows)]
        return part

    @cached_property
    def samples(self) -> pl.DataFrame:
        """One row per sample, sorted by cohort and sample_id: who it is, and ``has_<modality>``."""
        columns = ["sample_id", "patient_id", "cohort", "sample_type", "site"]
        return self._table.select(*columns, *(has_modality(self._table, m).alias(f"has_{m}") for m in self.modalities))

    def clinical(self) -> pl.DataFrame:
        """Return a row per sample as `samples` has it, with what is known of its patient, outcomes and labels.

        The columns are those of `omicstore.store.clinical.clinical_table`.
        """
        columns = ["sample_id", "patient_id", "cohort", "sample_type", "site"]
        return clinical_table(self.store, self.samples.select(columns))

    @property
    def matrices(self) -> list[str]:
        """The asked modalities that are matrices."""
        return list(self._features)

    def facts(self, modality: str) -> dict[str, str]:
        """Return what a study file needs to know of the values of a modality: modality, unit, upstream_fit, platform.

        The unit is an expression, as ``log2(tpm+1)`` on the scale log2p1. What differs between the cohorts, or is not
        known, is left out; so is the unit of values that a fitted state has transformed.
        """
        name = self._matrix(modality)
        units = set(self.units.get(name, {}).values())
        facts = {"modality": name}
        if len(units) == 1 and (self.split is None or self.split.state is None):
            unit = next(iter(units))
            scaled = self.question.scale != "linear" and unit in LINEAR_UNITS
            facts["unit"] = f"{self.question.scale.removesuffix('p1')}({unit}+1)" if scaled else unit
        for key in ("upstream_fit", "platform"):
            held = self.store.body["matrices"]
            said = {held[c][name].get(key) for c in self.units.get(name, {})}
            if len(said) == 1 and None not in said:
                facts[key] = said.pop()
        return facts

    @cached_property
    def _counts(self) -> dict[str, int]:
        return {m: int(self.samples[f"has_{m}"].sum()) for m in self.modalities}

    def features(self, modality: str) -> pl.DataFrame:
        """Return the features of a modality, a row per column of `to_numpy`, as `omicstore.schema.FEATURES`."""
        table = self._feature_table(modality)
        kept = getattr(self.split and self.split.state, "features", None)
        if kept is None:
            return table
        ids = pl.DataFrame({"feature_id": list(kept(modality))}, schema={"feature_id": pl.String})
        return ids.join(table, on="feature_id", how="left", maintain_order="left")

    def _feature_table(self, modality: str) -> pl.DataFrame:
        positions = self._features[self._matrix(modality)]
        if not len(positions):
            return pl.DataFrame(schema={"feature_id": pl.String, "symbol": pl.String})
        cohorts = [c for c in self.question.cohorts if modality in self.store.body["matrices"][c]]
        if len(cohorts) > 1:
            return self.store.union_features(modality)[positions]
        own = self.store.read_table(self.store.body["matrices"][cohorts[0]][modality]["features"])
        return own[np.searchsorted(self.store.axis(modality, cohorts[0]), positions)]

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
        import pyarrow as pa  # not before numbers are read: counting samples needs none of it

        name = self._matrix(modality)
        try:
            values = read_values(self.store, self._table, name, self._features[name])
        except (OSError, EOFError, pa.ArrowException) as error:
            why = " ".join(str(error).split()) or "it ends too early"
            raise StoreError(
                f"a file of {name} in {self.store.root} cannot be read ({why.rstrip('. ')})",
                expected="the files that store.json names",
                run="dvc checkout, or build the store again",
            ) from error
        self._to_scale(values, name)
        if self.split is None:
            return values
        self._log()
        if self.split.state is None:
            return values
        ids = self._feature_table(name)["feature_id"].to_list()
        return np.asarray(self.split.state.apply(name, values, ids), np.float32)

    def blocks(self, modality: str, most_bytes: int = 64 << 20) -> Iterator[NDArray[np.float32]]:
        """Yield `to_numpy` of the samples that have a modality, some rows at a time, to hold no more in memory."""
        name = self._matrix(modality)
        self._log()
        rows = np.flatnonzero(self.samples[f"has_{name}"].to_numpy())
        step = max(1, most_bytes // (4 * max(1, len(self._features[name]))))
        for start in range(0, len(rows), step):
            part = self.take(rows[start : start + step])
            part._logged = True
            yield part.to_numpy(name)

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

    def slides(self) -> pl.DataFrame:
        """One row per slide and encoder: slide_id, sample_id, patient_id, cohort, encoder, n_patches, path."""
        return slide_table(self.store, self._who("patches"))

    def patches(self, slide_id: str, encoder: str | None = None) -> Iterator[pl.DataFrame]:
        """Yield the patches of one of the `slides`, about a thousand at a time; the encoder where it has several."""
        slides = self.slides()
        if slide_id not in slides["slide_id"]:
            raise UnknownNameError("slide of this query", slide_id, slides["slide_id"].to_list())
        self._log()
        slide = of_encoder(slides.filter(pl.col("slide_id") == slide_id), encoder)
        return iter_patches(self.store, slide["path"][0])

    def prototypes(self, k: int = 16, seed: int = 0, encoder: str | None = None) -> SlidePrototypes:
        """Return `k` prototypes of each slide, each fitted on its own; see `omicstore.slides.prototypes`.

        Raises
        ------
        UsageError
            If there is no slide, or there are features of several encoders and none is named.
        """
        self._log()
        return slide_prototypes(self.store, of_encoder(self.slides(), encoder), k, seed)

    def reports(self, redact: str | Sequence[str] = ()) -> pl.DataFrame:
        """Return sample_id, patient_id, text, ... of the reports, with the words of tasks taken out of the text."""
        self._log()
        return report_table(self.store, self._who("report"), redact)

    def sentences(self) -> pl.DataFrame:
        """Return a row per sentence of the reports: whose, its text, the encoder, and its features FLOAT[d]."""
        self._log()
        return sentence_table(self.store, self._who("report"))

    def report_prototypes(self, k: int = 16, seed: int = 0) -> ReportPrototypes:
        """Return `k` prototypes of the sentences of each report, each fitted on its own."""
        self._log()
        return report_prototypes(self.store, self._who("report"), k, seed)

    def _who(self, modality: str) -> pl.DataFrame:
        have = has_modality(self._table, self._asked(modality))
        return self._table.filter(have).select("cohort", "sample_id", "patient_id")

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
        from omicstore.scverse import to_anndata

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
        from omicstore.scverse import to_mudata

        return to_mudata(self)

    def summary(self) -> dict[str, Any]:
        """Return what was found, as ``omicstore query --json`` prints it."""
        complete = pl.all_horizontal(pl.lit(value=True), *(pl.col(f"has_{m}") for m in self.modalities))
        found = {
            "release": self.store.release,
            "dataset": self.store.dataset,
            "simulated": self.store.simulated,
            "cohorts": list(self.question.cohorts),
            "sample_type": ",".join(self._sample_types),
            "scale": self.question.scale,
            "n_patients": self._table["patient_id"].n_unique(),
            "n_samples": self._table.height,
            "n_complete": self.samples.filter(complete).height,
            "modalities": {m: self._modality(m) for m in self.modalities},
            "left_out": self.left_out,
            "reads": self.marked,
            "warnings": self.warnings,
            "notes": self.notes,
        }
        if self.split is not None:
            found["split"] = {
                "name": self.split.folder.name, "manifest_hash": self.split.manifest_hash,
                "fold": self.split.fold, "part": self.split.part,
            }  # fmt: skip
        return found

    def _modality(self, modality: str) -> dict[str, Any]:
        column = profile_column(modality)
        have = self._table.filter(has_modality(self._table, modality))
        units = self.units.get(modality, {})
        return {
            "n_samples": self._counts[modality],
            "n_profiles": int(have[column].sum()) if column in have.columns else 0,
            "n_features": len(self._features[modality]) if modality in self._features else None,
            "unit": next(iter(units.values())) if len(set(units.values())) == 1 else None,
            "units": units,
        }

    def _records(self, modality: str) -> pl.DataFrame:
        ids = self._who(modality)
        self._log()
        if modality == "report":
            return report_table(self.store, ids)
        return every_patch(self.store, slide_table(self.store, ids))

    def _to_scale(self, values: NDArray[np.float32], modality: str) -> None:
        if self.question.scale == "linear":
            return
        units = self.units[modality]
        amounts = [c for c, unit in units.items() if unit in LINEAR_UNITS]
        rows = self._table["cohort"].is_in(amounts).to_numpy()
        chosen = slice(None) if rows.all() else rows
        part = values[chosen]
        part += 1
        (np.log2 if self.question.scale == "log2p1" else np.log10)(part, out=part)
        values[chosen] = part

    def _log(self) -> None:
        if self.split is not None and not self._logged:
            self.split.log(self.store, self.modalities, self._table.height)
            self._logged = True

    def _asked(self, modality: str) -> str:
        if modality.lower() not in self.modalities:
            raise UnknownNameError("modality of this query", modality, self.modalities)
        return modality.lower()

    def _matrix(self, modality: str) -> str:
        name = self._asked(modality)
        if name not in self._features:
            raise UsageError(
                f"{name} is no matrix", expected="a modality of samples by features", run=f"use to_polars({name!r})"
            )
        return name
