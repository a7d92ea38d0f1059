"""The store against a dictionary."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from store_factory import Part

import omicstore
from omicstore.releases import release as freeze
from omicstore.store.writer import assemble, write_cohort

COHORTS = st.sampled_from(["AAA", "BBB"])
MODALITIES = ("rna", "meth")
matrices = st.dictionaries(
    st.sampled_from(MODALITIES),
    st.tuples(st.sets(st.integers(0, 5), min_size=1), st.sets(st.integers(0, 6), min_size=1), st.integers(0, 99)),
    min_size=1,
)

Numbers = dict[tuple[str, str], float]


class StoreMachine(RuleBasedStateMachine):
    """Cohorts are built in any order, assembled and frozen at any time, while old readers stay open."""

    @initialize()
    def start(self):
        self.root = Path(tempfile.mkdtemp(prefix="omicstore-machine-"))
        self.built: dict[str, dict[str, Numbers]] = {}
        self.released: dict[str, dict[str, Numbers]] | None = None
        self.frozen: list[dict[str, dict[str, Numbers]]] = []
        self.readers: list[tuple[omicstore.store.reader.Store, dict[str, dict[str, Numbers]]]] = []

    @rule(cohort=COHORTS, drawn=matrices)
    def build(self, cohort, drawn):
        parts, profiles, model = [], [], {}
        for modality, (samples, features, seed) in drawn.items():
            ids = [f"{cohort}-P{s}-01" for s in sorted(samples)]
            names = [f"F{f}" for f in sorted(features)]
            values = np.random.default_rng(seed).random((len(ids), len(names))).astype(np.float32)
            rows = pl.DataFrame({"sample_id": ids, "profile_id": [f"{i}/{modality}" for i in ids]})
            parts.append(Part(modality, values, rows, pl.DataFrame({"feature_id": names, "symbol": names}), "tpm"))
            profiles.append(
                rows.with_columns(
                    patient_id=pl.col("sample_id").str.head(-3), cohort=pl.lit(cohort), modality=pl.lit(modality),
                    sample_type=pl.lit("primary"), chosen=pl.lit(value=True),
                )
            )  # fmt: skip
            model[modality] = {(i, n): float(values[a, b]) for a, i in enumerate(ids) for b, n in enumerate(names)}
        write_cohort(self.root, cohort, matrices=parts, tables={"profiles": pl.concat(profiles)})
        self.built[cohort] = model

    @precondition(lambda self: self.built)
    @rule()
    def release(self):
        assemble(self.root, list(self.built), dataset="machine", simulated=True)
        self.released = dict(self.built)

    @precondition(lambda self: self.released)
    @rule()
    def open(self):
        self.readers.append((omicstore.open(self.root), self.released))

    @precondition(lambda self: self.released)
    @rule()
    def freeze(self):
        with omicstore.open(self.root) as store:
            freeze(store, f"v{len(self.frozen)}", date="")
        self.frozen.append(self.released)

    @precondition(lambda self: getattr(self, "frozen", []))
    @rule(data=st.data())
    def open_frozen(self, data):
        number = data.draw(st.integers(0, len(self.frozen) - 1))
        self.readers.append((omicstore.open(self.root, release=f"v{number}"), self.frozen[number]))

    @precondition(lambda self: self.readers)
    @rule()
    def close(self):
        self.readers.pop(0)[0].close()

    @invariant()
    def readers_see_their_release(self):
        for store, model in getattr(self, "readers", []):
            assert store.cohorts == sorted(model)
            cohort = store.query(modalities=MODALITIES)
            for modality in MODALITIES:
                values, ids = cohort.to_numpy(modality), cohort.features(modality)["feature_id"].to_list()
                samples = cohort.samples["sample_id"].to_list()
                seen = {
                    (samples[a], ids[b]): float(values[a, b]) for a, b in np.argwhere(~np.isnan(values)).tolist()
                }  # fmt: skip
                assert seen == {cell: v for held in model.values() for cell, v in held.get(modality, {}).items()}

    def teardown(self):
        for store, _ in getattr(self, "readers", []):
            store.close()
        shutil.rmtree(self.root, ignore_errors=True)


TestStore = StoreMachine.TestCase
TestStore.settings = settings(
    max_examples=8,
    stateful_step_count=14,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)
