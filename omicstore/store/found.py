"""What a query found: samples, features, units, and what to know of them; no number is read here."""

from __future__ import annotations

from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, Self

import numpy as np
import polars as pl

from omicstore.errors import UnknownNameError, UsageError
from omicstore.store.catalog import profile_column
from omicstore.store.clinical import clinical_table
from omicstore.store.describe import has_modality
from omicstore.units import LINEAR_UNITS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from omicstore.store.enforce import SplitRead
    from omicstore.store.openings import Opening
    from omicstore.store.query import Question
    from omicstore.store.reader import Store

__all__ = ["Found"]


class Found:
    """The samples that a query chose, without their numbers; a row is a sample.

    What decides which numbers come out (store, question, modalities, split) cannot be set afterwards. Of a part of a
    split that is held out, matrices come out through the state alone, and records (reports, patches) only where the
    state says that they are read as they are. Who the samples are and what was measured of them, facts, follow-up and
    labels (`samples`, `clinical`, `slides`) are not withheld: held-out rows are chosen, counted and judged by them.

    Attributes
    ----------
    units
        Per matrix modality the unit of each cohort, as the store holds it.
    left_out
        Samples that would match but for their type, by type.
    warnings
        What the caller should know before using the result.
    notes
        What the query did that was asked for.
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
        if split is not None:
            split.admit(question.modalities)
        self._store, self._question, self._split = store, question, split
        self.units, self.left_out, self.warnings, self.notes = units, left_out, warnings, notes
        self._table, self._sample_types, self._features = table, sample_types, features
        self._opening: Opening | None = None
        self._logged = False

    def __repr__(self) -> str:
        held = ", ".join(f"{m} {n}" for m, n in self._counts.items())
        simulated = ", simulated data" if self.store.simulated else ""
        cohorts = ", ".join(self.question.cohorts)
        return f"<{type(self).__name__} {cohorts}: {self._table.height} samples ({held}), {self.marked}{simulated}>"

    def __len__(self) -> int:
        return self._table.height

    def __copy__(self) -> Self:
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin

    def __reduce__(self) -> NoReturn:
        raise UsageError(
            "a query's result was to be pickled or copied deeply, and it holds open files",
            expected="its numbers, or the question itself",
            run="pickle what to_numpy() returns, or query again in the other process",
        )

    @property
    def store(self) -> Store:
        """Where the numbers come from; it must stay open until they are read."""
        return self._store

    @property
    def question(self) -> Question:
        """The query with its names resolved."""
        return self._question

    @property
    def modalities(self) -> list[str]:
        """The asked modalities."""
        return list(self._question.modalities)

    @property
    def split(self) -> SplitRead | None:
        """Which part of which split the rows are; None where the query named none."""
        return self._split

    @property
    def marked(self) -> str:
        """``split`` where the rows are a part of a split, else ``unsplit``: no checkpoint can be made from these."""
        return "unsplit" if self._split is None else "split"

    @property
    def opening(self) -> Opening | None:
        """Where the read of a sealed test part is logged; None before it, and of other rows."""
        return self._opening

    def take(self, rows: NDArray[np.integer[Any]]) -> Self:
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

        The columns are those of `omicstore.store.clinical.clinical_table`. They come as they are of held-out rows as
        well: follow-up and labels are what a model is judged by. Of a test part this is logged as a read.
        """
        self._open(())
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
        if self.split is None or self.split.state is None:
            return table
        kept = self.split.state.features(self._matrix(modality))
        ids = pl.DataFrame({"feature_id": list(kept)}, schema={"feature_id": pl.String})
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

    def _who(self, modality: str) -> pl.DataFrame:
        have = has_modality(self._table, self._asked(modality))
        return self._table.filter(have).select("cohort", "sample_id", "patient_id")

    def _open(self, modalities: Sequence[str]) -> None:
        """Come before anything of these modalities is read: see that it may come out, and log a test part's opening."""
        if self.split is None:
            return
        self.split.admit(modalities)
        if not self._logged:
            self._opening = self.split.log(self.store, self.modalities, self._table.height)
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
