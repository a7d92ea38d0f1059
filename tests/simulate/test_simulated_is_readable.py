"""Every file of the simulated study is what its study file says, for the readers of real files."""

from __future__ import annotations

import polars as pl
import pytest

from omicstore.harmonize.references import References
from omicstore.readers import read
from omicstore.simulate import PANEL, simulate
from omicstore.sources import load_study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory):
    return load_study(simulate(tmp_path_factory.mktemp("demo"), scale=0.2))


def test_every_source_is_read(study):
    kinds = set()
    for source in study.sources:
        for table in read(source):
            kinds.add(table.kind)
            if table.kind == "matrix":
                assert table.values.shape == (len(table.ids), len(table.features))
                assert all(i.replace(".", "-").startswith("SIMU-") for i in table.ids)
                wanted = {
                    "rna": PANEL.genes,
                    "meth": PANEL.probes,
                    "prot": PANEL.antibodies,
                    "metab": PANEL.metabolites,
                }
                assert 0 <= len(table.features) - wanted[table.modality] <= 6
            else:
                assert table.frame.height
                assert table.frame["raw_id"].str.to_uppercase().str.starts_with("SIMU-").all()
    assert kinds == {"matrix", "clinical", "outcome", "label", "report", "patches"}


def test_every_cohort_has_the_subtype_as_its_label(study):
    for cohort in study.cohorts:
        tables = [t for s in study.sources if s.cohort == cohort and s.is_table for t in read(s) if t.kind == "label"]
        labels = pl.concat([t.frame for t in tables])
        assert set(labels["task"]) == {"subtype"}
        assert labels["label"].n_unique() >= 3


def test_references_are_read(study):
    references = References.load(study)
    assert references.sites["NA"] == ("Simulated Hospital 3", "Uterine Corpus Endometrial Carcinoma")
    assert references.genes is not None
    assert references.platform_of([f"cg{90_000_000 + 37 * (i + 1):08d}" for i in range(200)]) == "hm450"
