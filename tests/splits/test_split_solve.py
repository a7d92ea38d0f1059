"""The solvers against a search of everything."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omicstore.errors import SplitError
from omicstore.splits.problem import Problem
from omicstore.splits.search import polished, searched
from omicstore.splits.solve import greedy, integer_programme, sites_first


def make_problem(counts, k=3, wanted=None) -> Problem:
    counts = np.asarray(counts, dtype=float)
    counts = counts[np.argsort(-counts[:, 0], kind="stable")]
    n_blocks, n_dims = counts.shape
    return Problem(
        blocks=tuple(f"S{i:02d}" for i in range(n_blocks)),
        counts=counts,
        weights=np.ones(n_dims) if wanted is None else np.where(wanted, 0.0, 1.0),
        wanted=np.zeros(n_dims, dtype=bool) if wanted is None else np.asarray(wanted),
        dims=tuple(f"d{i}" for i in range(n_dims)),
        k=k,
    )


def best_cost(problem: Problem) -> float:
    every = itertools.product(range(problem.k), repeat=len(problem.blocks))
    return min(problem.cost(np.array(folds)) for folds in every if len(set(folds)) == problem.k)


counts = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 12)), min_size=4, max_size=7)


@settings(max_examples=15, deadline=None)
@given(counts=counts)
def test_the_integer_programme_finds_the_best_folds_and_knows_it(counts):
    problem = make_problem(counts)
    found = integer_programme(problem, node_limit=10_000, time_limit_s=60)
    assert found.objective == pytest.approx(best_cost(problem), abs=1e-6)
    assert found.objective == pytest.approx(problem.cost(found.folds))
    assert found.gap == pytest.approx(0.0, abs=2e-4)
    assert set(found.folds.tolist()) == {0, 1, 2}


@settings(max_examples=15, deadline=None)
@given(counts=counts)
def test_greedy_fills_every_fold_and_a_search_never_makes_it_worse(counts):
    problem = make_problem(counts)
    start = greedy(problem)
    better = polished(problem, start.folds)
    assert set(start.folds.tolist()) == set(better.tolist()) == {0, 1, 2}
    assert problem.cost(better) <= start.objective + 1e-9
    assert problem.cost(searched(problem)) <= problem.cost(better) + 1e-9


def test_no_fold_lacks_an_event_where_that_can_be():
    # Sizes alone would put the three sites with an event into two folds.
    counts = [(20, 0), (20, 0), (12, 1), (12, 1), (2, 1), (2, 0)]
    problem = make_problem(counts, wanted=[False, True])
    found = integer_programme(problem, node_limit=1000, time_limit_s=60)
    assert problem.loads(found.folds)[:, 1].min() >= 1
    assert problem.loads(greedy(problem).folds)[:, 1].min() >= 1


def test_as_many_blocks_as_folds_leave_no_choice():
    problem = make_problem([(5, 1), (4, 1), (3, 1)])
    found = integer_programme(problem, node_limit=10, time_limit_s=60)
    assert (found.solver, found.folds.tolist(), found.gap) == ("one block per fold", [0, 1, 2], None)


def test_a_limit_of_time_is_a_refusal_and_not_another_answer():
    rng = np.random.default_rng(0)
    problem = make_problem(rng.integers(1, 60, (40, 6)), k=5)
    with pytest.raises(SplitError, match=r"within 0\.001 s\. Expected 10000 nodes .* lower split\.node_limit"):
        integer_programme(problem, node_limit=10_000, time_limit_s=0.001)


def test_people_without_a_site_fill_up_what_the_sites_left_uneven():
    problem = make_problem([(30, 3), (20, 2), (20, 2), *[(1, 0)] * 20])
    has_site = problem.counts[:, 0] > 1
    found = sites_first(problem, has_site, node_limit=10, time_limit_s=60)
    assert problem.loads(found.folds)[:, 0].tolist() == [30, 30, 30]
    assert found.solver == "one block per fold, then greedy"
    assert sites_first(problem, ~has_site & has_site, node_limit=10, time_limit_s=60).solver == "greedy"
