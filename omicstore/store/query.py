"""From a question to samples and features; no number is read here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from omicstore.errors import MixedUnitsError, UnknownNameError, UsageError
from omicstore.identifiers import SAMPLE_TYPES
from omicstore.modalities import MODALITIES, get_modality
from omicstore.store.catalog import row_column
from omicstore.store.cohort import Cohort
from omicstore.store.describe import has_modality
from omicstore.store.enforce import open_split
from omicstore.store.genes import find_genes
from omicstore.store.where import matching_samples
from omicstore.units import LINEAR_UNITS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from omicstore.store.enforce import FittedState
    from omicstore.store.reader import Store

__all__ = ["SCALES", "Question", "answer"]

#: As many names are listed in a message.
_FEW = 12
SCALES = ("linear", "log2p1", "log10p1")


@dataclass(frozen=True, slots=True)
class Question:
    """A query with its names resolved; the attributes are those of `Store.query`."""

    cohorts: tuple[str, ...]
    modalities: tuple[str, ...]
    modalities_named: bool
    genes: tuple[str, ...] | None
    where: str | None
    sample_types: tuple[str, ...]
    require: tuple[str, ...] | str
    scale: str
    allow_mixed_units: bool

    @classmethod
    def of(
        cls,
        store: Store,
        *,
        cohort: str | Sequence[str] | None,
        modalities: str | Sequence[str] | None,
        genes: str | Sequence[str] | None,
        where: str | None,
        sample_type: str | Sequence[str],
        require: str | Sequence[str],
        scale: str,
        allow_mixed_units: bool,
    ) -> Question:
        """Resolve the names of a question.

        Raises
        ------
        UnknownNameError
            If one does not exist.
        """
        by_fold = {c.casefold(): c for c in store.cohorts}
        wanted = _asked("cohort", cohort)
        there = _these(store.cohorts)
        cohorts = store.cohorts if wanted is None else [_known("cohort", n, by_fold, run=there) for n in wanted]
        named = [_modality(store, name) for name in _asked("modalities", modalities) or ()]
        held = {m for c in cohorts for m in _held(store, c)}
        chosen = tuple(dict.fromkeys(named)) or tuple(m for m in MODALITIES if m in held)
        types = {
            t.casefold(): t
            for t in ("all", *SAMPLE_TYPES.values(), *store.samples()["sample_type"].drop_nulls().unique())
        }
        required = _asked("require", require, absent="any") or ["any"]
        asked_types = _asked("sample_type", sample_type, absent="primary") or ["primary"]
        asked_genes = _asked("genes", genes)
        if where is not None and (not isinstance(where, str) or not where.strip()):
            raise UsageError(
                f"where is {where!r}",
                expected="a SQL expression, such as age_years < 60",
                run="leave it out to take all",
            )
        return cls(
            cohorts=tuple(sorted(set(cohorts))),
            modalities=chosen,
            modalities_named=bool(named),
            genes=None if asked_genes is None else tuple(asked_genes),
            where=where,
            sample_types=tuple(_known("sample type", name, types) for name in asked_types),
            require=required[0].lower() if required in (["any"], ["all"]) else _required(required, chosen),
            scale=_known("scale", str(scale), {s: s for s in SCALES}, run=f"choose from {', '.join(SCALES)}"),
            allow_mixed_units=allow_mixed_units,
        )

    def as_json(self) -> dict[str, Any]:
        """Return the question as canonical JSON would hold it, for manifests."""
        return {
            "cohorts": list(self.cohorts),
            "modalities": list(self.modalities),
            "genes": None if self.genes is None else list(self.genes),
            "where": self.where,
            "sample_type": list(self.sample_types),
            "require": self.require if isinstance(self.require, str) else list(self.require),
            "scale": self.scale,
            "allow_mixed_units": self.allow_mixed_units,
        }


def answer(
    store: Store,
    question: Question,
    *,
    split: str | Path | None,
    fold: int | None,
    part: str | None,
    state: FittedState | None,
) -> Cohort:
    """Find the samples and features of a question; see `Store.query` for the errors."""
    if split is None and (fold is not None or part is not None or state is not None):
        raise UsageError("a fold, part or state is named without a split", run="--split NAME --fold K --part train")
    read = None if split is None else open_split(store, split, fold, part, state)
    warnings, notes = _lacking(store, question), list[str]()
    samples = store.samples().filter(pl.col("cohort").is_in(list(question.cohorts)))
    samples = samples.filter(_required_expr(samples, question))
    if question.where:
        samples = matching_samples(store, samples, question.modalities, question.where)
    if read is not None:
        samples = samples.join(read.assigned, on=["cohort", "sample_id"], how="semi", maintain_order="left")
    samples, types, left_out = _of_type(samples, question)
    if left_out:
        counts = ", ".join(f"{n} {name}" for name, n in left_out.items())
        notes.append(f"left out by sample type: {counts}; --sample-type all takes everything")
    if samples.is_empty():
        hint = "; omicstore columns lists the values that --where can ask for" if question.where else ""
        warnings.append(f"no sample matches{hint}")
    warnings += [retraction.sentence for retraction in store.retracted(samples["patient_id"])]
    units = _units(store, samples, question)
    for modality, by_cohort in units.items():
        if len(set(by_cohort.values())) > 1:
            if not question.allow_mixed_units:
                raise MixedUnitsError(modality, by_cohort)
            warnings.append(f"{modality} has mixed units: {', '.join(f'{u} in {c}' for c, u in by_cohort.items())}")
        kept = sorted(set(by_cohort.values()) - LINEAR_UNITS)
        if question.scale != "linear" and kept:
            where = sorted(c for c, unit in by_cohort.items() if unit in kept)
            within = f" in {', '.join(where)}" if len(where) < len(by_cohort) else ""
            warnings.append(f"{modality} stays as stored{within}, {question.scale} is not for {', '.join(kept)}")
    return Cohort(
        store=store,
        question=question,
        table=samples,
        sample_types=types,
        left_out=left_out,
        features=_features(store, question, notes),
        units=units,
        warnings=warnings,
        notes=notes,
        split=read,
    )


def _asked(what: str, value: object, *, absent: str = "all") -> list[str] | None:
    """Return the names in a text with commas or a sequence; None where nothing is asked.

    An empty list is refused: who computed it, or left a shell's variable unset, does not mean all.
    """
    if value is None:
        return None
    # Only text is parted at commas: the name of a metabolite may hold one.
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, Iterable):
        raise UsageError(f"{what} is {value!r}", expected="a name, or a list of names")
    names = list(parts)
    if odd := [name for name in names if not isinstance(name, str)]:
        raise UsageError(f"{what} holds {odd[0]!r}", expected="a name, or a list of names")
    found = [name.strip() for name in names if name.strip()]
    if not found:
        raise UsageError(f"{what} names nothing", expected="at least one name", run=f"leave it out to take {absent}")
    return found


def _known(kind: str, name: str, by_fold: dict[str, str], *, run: str = "") -> str:
    found = by_fold.get(name.casefold())
    if found is None:
        raise UnknownNameError(kind, name, by_fold.values(), run=run)
    return found


def _these(names: Sequence[str]) -> str:
    return (
        f"choose from {', '.join(names)}, which this store has" if len(names) <= _FEW else "omicstore info lists them"
    )


def _modality(store: Store, name: str) -> str:
    try:
        return get_modality(name).name
    except UnknownNameError as error:
        raise UnknownNameError("modality", name, error.suggestions, run=_these(store.modalities)) from None


def _required(names: list[str], modalities: tuple[str, ...]) -> tuple[str, ...]:
    by_fold = {m: m for m in modalities}
    return tuple(_known("modality in --require", name, by_fold) for name in names)


def _held(store: Store, cohort: str) -> set[str]:
    held = set(store.body["matrices"][cohort])
    return held | {m for m, key in (("report", "reports"), ("patches", "patches")) if cohort in store.body[key]}


def _lacking(store: Store, question: Question) -> list[str]:
    if not question.modalities_named:
        return []
    lacking = {m: [c for c in question.cohorts if m not in _held(store, c)] for m in question.modalities}
    return [
        f"{m}: not measured in {', '.join(cohorts)}; the column is empty there"
        for m, cohorts in lacking.items()
        if cohorts
    ]


def _required_expr(samples: pl.DataFrame, question: Question) -> pl.Expr:
    if question.require == "any":
        return pl.any_horizontal(pl.lit(value=False), *(has_modality(samples, m) for m in question.modalities))
    needed = question.modalities if question.require == "all" else question.require
    return pl.all_horizontal(*(has_modality(samples, m) for m in needed))


def _of_type(samples: pl.DataFrame, question: Question) -> tuple[pl.DataFrame, list[str], dict[str, int]]:
    """Return the samples of the asked types, these types, and how many of each other type are left out."""
    if "all" in question.sample_types:
        return samples, ["all"], {}
    wanted = pl.col("sample_type").is_in(list(question.sample_types))
    types = list(question.sample_types)
    if question.sample_types == ("primary",):
        per_cohort = samples.group_by("cohort").agg(
            primary=(pl.col("sample_type") == "primary").any(), lines=(pl.col("sample_type") == "cell_line").any()
        )
        instead = per_cohort.filter(~pl.col("primary") & pl.col("lines"))["cohort"].to_list()
        if instead:
            wanted |= pl.col("cohort").is_in(instead) & (pl.col("sample_type") == "cell_line")
            types = ["cell_line"] if per_cohort.height == len(instead) else ["primary", "cell_line"]
    rest = samples.filter(~wanted).group_by("sample_type").len().sort("sample_type")
    left_out = dict(zip(rest["sample_type"].to_list(), rest["len"].to_list(), strict=True))
    return samples.filter(wanted), types, left_out


def _units(store: Store, samples: pl.DataFrame, question: Question) -> dict[str, dict[str, str]]:
    """Return per modality the unit of each cohort that brings samples with it."""
    units: dict[str, dict[str, str]] = {}
    for modality in question.modalities:
        if MODALITIES[modality].kind != "matrix":
            continue
        have = set()
        if row_column(modality) in samples.columns:
            have = set(samples.filter(has_modality(samples, modality))["cohort"].unique())
        units[modality] = {c: store.body["matrices"][c][modality]["unit"] for c in question.cohorts if c in have}
    return units


def _features(store: Store, question: Question, notes: list[str]) -> dict[str, NDArray[np.int64]]:
    """Return per matrix modality the positions, in the union axis, of the features that any chosen cohort has."""
    features: dict[str, NDArray[np.int64]] = {}
    for modality in question.modalities:
        if MODALITIES[modality].kind != "matrix":
            continue
        cohorts = [c for c in question.cohorts if modality in store.body["matrices"][c]]
        axes = {str(store.body["matrices"][c][modality]["axis"]): c for c in cohorts}
        if not axes:
            features[modality] = np.empty(0, np.int64)
        elif len(axes) == 1:
            features[modality] = store.axis(modality, cohorts[0])
        else:
            mask = np.zeros(store.body["index"][modality]["n_features"], bool)
            for cohort in axes.values():
                mask[store.axis(modality, cohort)] = True
            features[modality] = np.flatnonzero(mask)
    return features if question.genes is None else find_genes(store, features, question.genes, notes)
