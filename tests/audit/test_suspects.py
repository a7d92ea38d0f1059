"""Swapped samples, and profiles that lie in another cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from audit_cases import tiny_case

from omicstore.audit.suspects.cohorts import misplaced, wrong_cohort
from omicstore.audit.suspects.matching import exchanged, fit_of, standardised
from omicstore.audit.suspects.swaps import swaps

if TYPE_CHECKING:
    from pathlib import Path

    from audit_cases import Case
    from numpy.typing import NDArray

SEEDS = 20


def linked(root: Path, seed: int = 0, *, signal: float = 1.0) -> Case:
    """Two cohorts of 60 whose RNA, methylation and proteins follow eight programmes, as tumours do."""
    case = tiny_case(root, seed=seed, n_patients=60, n_features=60, missing=0.1, n_normals=0)
    rng = np.random.default_rng([seed, 1])
    for cohort in case.cohorts:
        patients = case.cohorts[cohort].tables["patients"]["patient_id"].to_list()
        state = {p: rng.normal(size=8) for p in patients}
        for part in case.cohorts[cohort].parts.values():
            own = np.stack([state["-".join(s.split("-")[:3])] for s in part.rows["sample_id"].to_list()])
            loadings = rng.normal(size=(8, 60)) * (rng.random((8, 60)) < 0.5)
            part.values[:] = signal * own @ loadings + rng.normal(0.0, 1.5, part.values.shape)
            part.unit = "log2_ratio"
    return case


def exchange(case: Case, cohort: str, modality: str, one: str, other: str) -> None:
    values = case.matrix(cohort, modality).values
    rows = [case.row(cohort, modality, s) for s in (one, other)]
    values[rows] = values[rows[::-1]]


def shared(case: Case, cohort: str) -> list[str]:
    own = [set(p.rows["sample_id"].to_list()) for p in case.cohorts[cohort].parts.values()]
    return sorted(set.intersection(*own))


def test_a_swap_is_found_and_both_are_named(tmp_path: Path) -> None:
    case = linked(tmp_path)
    one, other = shared(case, "AAA")[3], shared(case, "AAA")[20]
    exchange(case, "AAA", "rna", one, other)
    found = swaps(case.write())
    assert (found.status, found.severity) == ("fail", "warning")
    assert found.evidence["n_offenders"] == 1
    assert f"{one} and {other} of AAA go with each other's profiles, not their own" in found.found
    assert "meth with rna" in found.found
    assert "prot with rna" in found.found
    assert "meth with prot" not in found.found


def test_a_weak_link_is_not_guessed_at(tmp_path: Path) -> None:
    """Numbers that do not follow each other at all cannot tell whose is whose."""
    found = swaps(tiny_case(tmp_path, n_patients=60, missing=0.0).write())
    assert found.status == "not_applicable"
    assert "no two modalities of a cohort predict each other well enough" in found.how
    assert all(not link["can_tell"] for link in found.evidence["links"])


def test_swaps_over_seeds() -> None:
    """A swap of two in 100 is found in 18 of 20 seeds at least, and at most one seed raises one in vain."""
    caught, raised = 0, 0
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        state = rng.normal(size=(100, 8))
        rna, prot = (state @ rng.normal(size=(8, 50)) + rng.normal(0.0, 1.0, (100, 50)) for _ in range(2))
        for is_swapped in (False, True):
            if is_swapped:
                prot[[4, 31]] = prot[[31, 4]]
            fit = fit_of(standardised(rna.astype(np.float32)), standardised(prot.astype(np.float32)), rng)
            assert fit is not None
            pairs = [(i, j) for i, j, _ in exchanged(fit)[0]]
            caught += is_swapped and (4, 31) in pairs
            raised += bool(set(pairs) - {(4, 31)}) or (bool(pairs) and not is_swapped)
    assert caught >= SEEDS - 2
    assert raised <= 1


def with_sexes(case: Case, cohort: str) -> dict[str, str]:
    """Let the first genes lie on Y, and one be XIST; return the patients' sexes."""
    part = case.matrix(cohort, "rna")
    names = part.features["symbol"].to_list()
    part.features = part.features.with_columns(
        chromosome=pl.Series(["chrY"] * 3 + part.features["chromosome"].to_list()[3:]),
        symbol=pl.Series([*names[:3], "XIST", *names[4:]]),
    )
    sexes = dict(case.cohorts[cohort].tables["patients"].select("patient_id", "sex").iter_rows())
    rng = np.random.default_rng(0)
    for row, sample in enumerate(part.rows["sample_id"].to_list()):
        is_man = sexes["-".join(sample.split("-")[:3])] == "male"
        part.values[row, :3] = rng.normal(5.0 if is_man else -5.0, 1.0, 3)
        part.values[row, 3] = rng.normal(-5.0 if is_man else 5.0)
    return sexes


def test_expression_is_held_against_the_sex(tmp_path: Path) -> None:
    case = linked(tmp_path)
    sexes = with_sexes(case, "AAA")
    assert swaps(case.write()).status == "pass"
    case = linked(tmp_path / "wrong")
    with_sexes(case, "AAA")
    woman = next(s for s in shared(case, "AAA") if sexes["-".join(s.split("-")[:3])] == "female")
    man = next(s for s in shared(case, "AAA") if sexes["-".join(s.split("-")[:3])] == "male")
    values, rows = case.matrix("AAA", "rna").values, [case.row("AAA", "rna", s) for s in (woman, man)]
    values[rows, :4] = values[rows[::-1], :4]
    found = swaps(case.write())
    assert f"{woman} of AAA is of a woman and its rna of a man, by the genes on Y and XIST" in found.found
    assert f"{man} of AAA is of a man and its rna of a woman" in found.found
    assert found.evidence["n_offenders"] == 2


def apart(root: Path, seed: int = 0, by: float = 2.0) -> Case:
    """Two cohorts whose RNA differs in half of the genes."""
    case = linked(root, seed)
    rng = np.random.default_rng([seed, 2])
    case.matrix("AAA", "rna").values += (by * rng.normal(size=60) * (rng.random(60) < 0.5)).astype(np.float32)
    return case


def test_a_profile_in_another_cohorts_cloud_is_named(tmp_path: Path) -> None:
    case = apart(tmp_path)
    samples = {c: shared(case, c)[5] for c in ("AAA", "BBB")}
    own = {c: case.matrix(c, "rna").values for c in samples}
    rows = {c: case.row(c, "rna", s) for c, s in samples.items()}
    own["AAA"][rows["AAA"]], own["BBB"][rows["BBB"]] = own["BBB"][rows["BBB"]].copy(), own["AAA"][rows["AAA"]].copy()
    found = wrong_cohort(case.write())
    assert (found.status, found.severity) == ("fail", "warning")
    assert found.found == (
        f"{samples['AAA']} is filed under AAA and lies among BBB, by its rna; "
        f"{samples['BBB']} is filed under BBB and lies among AAA, by its rna"
    )


def test_cohorts_that_lie_within_each_other_cannot_tell(tmp_path: Path) -> None:
    found = wrong_cohort(tiny_case(tmp_path, n_patients=60).write())
    assert found.status == "not_applicable"
    assert "no modality of two cohorts, in one unit, tells cohorts apart" in found.how
    assert wrong_cohort(tiny_case(tmp_path / "one", cohorts=("AAA",)).write()).status == "not_applicable"


def test_an_outlier_is_of_no_other_cohort() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0, 1, (40, 50)), rng.normal(0, 1, (40, 50)) + 2.0])
    values[3] += rng.normal(0, 12, 50)
    right, out = misplaced(values - values.mean(axis=0), np.repeat(["A", "B"], 40))
    assert right > 0.9
    assert out == []


def test_wrong_cohort_over_seeds() -> None:
    caught, raised = 0, 0
    cohorts = np.repeat(["A", "B"], 40)
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        shift = 3.0 * rng.normal(size=60)
        state = rng.normal(size=(80, 6)) @ rng.normal(size=(6, 60))
        values = state + rng.normal(size=(80, 60)) + np.outer(cohorts == "B", shift)
        values -= values.mean(axis=0)
        raised += bool(misplaced(values, cohorts)[1])
        values[[2, 50]] = values[[50, 2]]
        caught += misplaced(values, cohorts)[1] == [(2, "B"), (50, "A")]
    assert raised <= 1
    assert caught >= SEEDS - 1


def bladder(real_data: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """RNA and methylation of the same bladder tumours."""
    rna = pl.read_csv(real_data / "tcga" / "BLCA" / "toil_log2tpm.csv.gz", infer_schema_length=None)
    meth = pl.read_csv(
        real_data / "tcga" / "BLCA" / "HumanMethylation450.tsv.gz", separator="\t", infer_schema_length=None
    )
    column = {c[:12]: c for c in meth.columns[1:] if c[13:15] == "01"}
    rows = [i for i, name in enumerate(rna[:, 0].to_list()) if name[:12] in column]
    names = [rna[i, 0][:12] for i in rows]
    return (
        rna[rows, 1:].select(pl.all().cast(pl.Float32)).to_numpy(),
        meth.select(pl.col([column[n] for n in names]).cast(pl.Float32)).to_numpy().T,
    )


@pytest.mark.slow
def test_swaps_planted_in_real_bladder_tumours(real_data: Path) -> None:
    """Of two swaps in 360 tumours most are found; without any, none is."""
    rna, meth = (standardised(m) for m in bladder(real_data))
    fit = fit_of(rna, meth, np.random.default_rng(0))
    assert fit is not None
    found, share = exchanged(fit)
    assert found == []
    assert share > 0.6
    caught = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        planted = np.sort(rng.permutation(len(meth))[:4].reshape(2, 2), axis=1)
        wrong = meth.copy()
        for i, j in planted:
            wrong[[i, j]] = wrong[[j, i]]
        fit = fit_of(rna, wrong, rng)
        assert fit is not None
        pairs = [(i, j) for i, j, _ in exchanged(fit)[0]]
        assert set(pairs) <= set(map(tuple, planted.tolist()))
        caught += len(pairs)
    assert caught >= 14
