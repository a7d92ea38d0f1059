"""All that is known of an identifier, one source of knowledge after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from omicstore.errors import OmicstoreError, mistyped
from omicstore.explain import store as held
from omicstore.explain.form import explain_form
from omicstore.explain.references import explain_antibody, explain_gene, explain_metabolite, explain_probe
from omicstore.harmonize.probes import is_probe
from omicstore.harmonize.samples import SampleMap

if TYPE_CHECKING:
    from collections.abc import Callable

    from omicstore.harmonize.references import References
    from omicstore.sources import Study
    from omicstore.store.reader import Store

__all__ = ["Tracer"]

T = TypeVar("T")


class Tracer:
    """Looks identifiers up.

    Parameters
    ----------
    store
        An open store, or None.
    study, refs
        The study and its references, or None.
    """

    def __init__(self, store: Store | None, study: Study | None, refs: References | None) -> None:
        self.store, self.study, self.refs = store, study, refs

    def trace(self, name: str) -> list[dict[str, Any]]:
        """Return what is found of an identifier: dicts with ``kind``, ``text`` and what else is known."""
        who = held.people(name, self.store) if self.store is not None else []
        form = explain_form(name, self._ask(lambda refs: refs.sites))
        sample = [] if who else self._samples(name)
        genes = self._ask(lambda refs: explain_gene(name, refs.symbols) if refs.symbols else None) or []
        others = [
            *(self._ask(lambda refs: explain_probe(name, refs)) or []),
            *explain_antibody(name, self._ask(lambda refs: refs.symbols)),
            *(self._ask(lambda refs: explain_metabolite(name, refs)) or []),
        ]
        found = [*who[:1], *form, *who[1:], *sample, *genes, *others]
        if self.store is None:
            return found
        names = {name.casefold()} | {f["feature_id"].casefold() for f in (*form, *genes) if f.get("feature_id")}
        names |= {f["feature_id"].casefold() for f in others if f.get("feature_id")}
        features = held.features(names, self.store)
        if any("feature_id" in f for f in genes) and not features:
            genes[0]["text"] += "; no matrix of this store has it"
        # A table of all cohorts drops, for each of them, the patients of the others; that is no news of a patient.
        homes = {finding["cohort"] for finding in who}
        dropped = [f for f in held.dropped(name, self.store) if not homes or f["cohort"] in homes]
        everything = [*found, *features, *dropped]
        if everything and not self.is_known(everything):
            near = ", ".join(self.nearest(name))
            text = "not in this store" + (f"; the nearest names: {near}" if near else "")
            everything.append({"kind": "absent", "text": text})
        return everything

    def is_known(self, findings: list[dict[str, Any]]) -> bool:
        """Whether more than the form of a name is known, or there is no store that could know more."""
        return any(f["kind"] not in ("form", "unknown gene", "absent") or self.store is None for f in findings)

    def nearest(self, name: str) -> list[str]:
        """Return the names of which one that was found nowhere may be a misspelling."""
        if is_probe(name):
            return mistyped(name, self._ask(lambda refs: _probes_like(name, refs)) or [])
        known: list[str] = []
        if self.store is not None:
            profiles = self.store.table("profiles")
            for column in ("patient_id", "sample_id", "raw_id"):
                known += profiles[column].drop_nulls().unique().sort().to_list()
            for modality in self.store.body["index"]:
                axis = self.store.union_features(modality)
                known += [*axis["symbol"].drop_nulls().to_list(), *axis["feature_id"].to_list()]
        if genes := self._ask(lambda refs: refs.symbols):
            known += genes.table["symbol"].drop_nulls().to_list()
        return mistyped(name, dict.fromkeys(known))

    def _ask(self, question: Callable[[References], T | None]) -> T | None:
        """Ask the references; a study may name some whose files are not there."""
        if self.refs is None:
            return None
        try:
            return question(self.refs)
        except (OmicstoreError, OSError):
            return None

    def _samples(self, name: str) -> list[dict[str, Any]]:
        """Say which sample a name is by the study's own rule, for programmes without barcodes."""
        if self.study is None or self.study.samples is None:
            return []
        found = []
        for cohort in self.study.cohorts:
            sample = SampleMap(self.study, cohort).sample(name)
            if sample is None or (self.study.samples.path is None and self.study.samples.pattern is None):
                continue
            kind = f", {sample.sample_type}" if sample.sample_type else ""
            text = f"by study.samples: sample {sample.sample_id} of patient {sample.patient_id}{kind}, cohort {cohort}"
            about = {"sample_id": sample.sample_id, "patient_id": sample.patient_id, "cohort": cohort}
            found.append({"kind": "sample rule", **about, "text": text})
        return found


def _probes_like(name: str, refs: References) -> list[str]:
    """Return the probes that begin as a name does; an array has too many to compare them all."""
    found: list[str] = []
    for platform in dict.fromkeys(refs.probe_platforms):
        probes = refs.probes(platform).frame["probe_id"]
        found += probes.filter(probes.str.starts_with(name[: max(2, len(name) // 2)])).unique().to_list()
    return list(dict.fromkeys(found))
