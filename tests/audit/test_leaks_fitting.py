"""L4: what was fitted on more than the training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from audit_cases import tiny_case

from models.transforms.state import fit_state
from omicstore.audit import Bundle
from omicstore.audit.leaks.fitting import fitting
from omicstore.audit.leaks.upstream import edge, f_test, is_scaled
from omicstore.audit.refit import fitting_rows
from omicstore.files import canonical_json
from omicstore.store.splitfile import body_hash

if TYPE_CHECKING:
    from pathlib import Path

    from audit_cases import Case

SEEDS = 20


def model(case: Case, *parts: str, more: int = 0) -> Bundle:
    """A trained model whose state was fitted on parts of fold 0, or on some held-out rows beside train."""
    bundle = case.write_model(modalities=["rna"])
    rows = sorted(s for part in parts for s in fitting_rows(bundle, 0, part))
    rows = sorted([*rows, *fitting_rows(bundle, 0, "test")[:more]])
    own = [bundle.matrix(c, "rna") for c in case.cohorts]
    assert all(m is not None for m in own)
    kept = [[i for i, s in enumerate(m.sample_ids) if s in rows] for m in own]
    values = np.concatenate([m.values[i] for m, i in zip(own, kept, strict=True)])
    state = fit_state(
        "default", {"rna": values}, {"rna": own[0].features}, {"rna": "tpm"}, sample_ids=rows, split="default",
        manifest_hash=case.manifest()["manifest_hash"], fold=0,
    )  # fmt: skip
    folder = bundle.checkpoint
    path = state.save(folder / "state")
    body = dict(bundle.sidecar) | {"states": [{"path": str(path.relative_to(folder)), "transform": "default"}]}
    body["sidecar_hash"] = body_hash(body, "sidecar_hash")
    (folder / "sidecar.json").write_bytes(canonical_json(body))
    return Bundle(folder)


def test_a_state_of_the_training_rows_passes(tmp_path: Path) -> None:
    found = fitting(model(tiny_case(tmp_path), "train"))
    assert found.status == "pass", found.found
    assert found.evidence["states"] == [{"state": "default.json", "fold": 0, "off_train": 0.0}]


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (("train", "val", "test"), "all rows of the split"),
        (("train", "val"), "train and val together"),
        (("train", "test"), "train and test together"),
        (("test",), "the test rows alone"),
    ],
)
def test_a_state_of_other_rows_is_an_error_that_says_of_which(
    tmp_path: Path, parts: tuple[str, ...], said: str
) -> None:
    found = fitting(model(tiny_case(tmp_path), *parts))
    assert (found.status, found.severity) == ("fail", "error")
    assert "of the numbers in default.json of fold 0 are not those of its training rows" in found.found
    assert found.found.endswith(f"they are those of {said}")


def test_a_few_held_out_rows_are_seen_and_named(tmp_path: Path) -> None:
    found = fitting(model(tiny_case(tmp_path), "train", more=2))
    assert (found.status, found.severity) == ("fail", "error")
    assert "2 rows beside the training rows, e.g. SIMU-" in found.found


def test_tables_that_say_what_they_were_fitted_on(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    case.matrix("AAA", "prot").upstream_fit = "per_cohort"
    case.matrix("BBB", "prot").upstream_fit = "all_samples"
    case.matrix("BBB", "rna").unit = "zscore"
    found = fitting(case.write())
    assert (found.status, found.severity) == ("fail", "warning")
    assert found.found == (
        "prot of AAA says that it was normalised over all samples of its cohort, test rows among them; "
        "prot of BBB says that it was normalised over all samples of its source, test rows among them; "
        "rna of BBB is in z-scores, which are fitted on samples, and does not say on which"
    )


def test_a_table_that_does_not_say_is_counted_beside_a_pass(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    case.matrix("AAA", "rna").upstream_fit = "unknown"
    found = fitting(case.write())
    assert (found.status, found.evidence["tables_that_do_not_say"]) == ("pass", ["rna of AAA"])


def test_z_scores_over_all_that_nobody_declared(tmp_path: Path) -> None:
    case = tiny_case(tmp_path)
    own = case.matrix("AAA", "prot")
    own.values[:] = (own.values - np.nanmean(own.values, axis=0)) / np.nanstd(own.values, axis=0, ddof=1)
    found = fitting(case.write())
    assert (found.status, found.severity) == ("fail", "warning")
    assert found.found.startswith("prot of AAA has mean 0 and standard deviation 1 in its features over all")


def test_features_that_were_picked_by_the_label(tmp_path: Path) -> None:
    """Of 3,000 features without any truth the 60 best by ANOVA over all samples, as benchmarks have them."""
    case = tiny_case(tmp_path, n_features=60, n_patients=60, missing=0.0, n_normals=0, modalities=("prot",))
    case.sections = {"params": {"label": "subtype", "endpoint": None}}
    labels = dict(case.cohorts["AAA"].tables["labels"].select("patient_id", "label").iter_rows())
    own = case.matrix("AAA", "prot")
    names = np.array([labels["-".join(s.split("-")[:3])] for s in own.rows["sample_id"].to_list()])
    drawn = np.random.default_rng(0).normal(size=(len(names), 3000)).astype(np.float32)
    own.values[:] = drawn[:, np.argsort(f_test(drawn, names))[:60]]
    found = fitting(case.write())
    assert (found.status, found.severity) == ("fail", "warning")
    assert found.found.startswith("all 60 features of prot of AAA tell subtype (largest p 0.0")


def test_false_alarms_over_seeds(tmp_path: Path) -> None:
    raised = []
    for seed in range(SEEDS):
        case = tiny_case(tmp_path / str(seed), seed=seed, n_patients=60)
        case.sections = {"params": {"label": "subtype", "endpoint": None}}
        found = fitting(case.write())
        raised += [found.found] if found.status != "pass" else []
    assert len(raised) <= 1, raised


def test_without_numbers_it_cannot_be_made(tmp_path: Path) -> None:
    bundle = tiny_case(tmp_path).write()
    bundle.store = None
    assert fitting(bundle).status == "not_applicable"


def test_p_values_are_those_of_scipy() -> None:
    from scipy.stats import f_oneway

    rng = np.random.default_rng(0)
    values, labels = rng.normal(size=(60, 5)).astype(np.float32), rng.choice(["a", "b", "c"], 60)
    expected = f_oneway(*(values[labels == k].astype(np.float64) for k in "abc")).pvalue
    np.testing.assert_allclose(f_test(values, labels), expected, rtol=1e-6)


def test_strong_biology_leaves_no_edge() -> None:
    """Features that all differ between classes taper off: their weakest is no edge."""
    rng = np.random.default_rng(0)
    labels = np.repeat(["a", "b"], 100)
    effect = rng.normal(4.0, 0.7, 200) * (labels == "b")[:, None]
    p = f_test((rng.normal(size=(200, 200)) + effect).astype(np.float32), labels)
    assert p.max() < 0.05
    assert edge(p) is None


def test_scaling_is_seen_over_these_rows_alone() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(3.0, 2.0, (100, 40)).astype(np.float32)
    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    assert is_scaled(scaled)
    assert not is_scaled(scaled[:60])
    assert not is_scaled(values)
