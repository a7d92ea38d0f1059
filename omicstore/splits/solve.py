"""Put blocks into folds: one after another, or by an integer programme."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from omicstore.errors import SplitError
from omicstore.splits.problem import ABSENT, Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Solution", "greedy", "integer_programme", "polished", "sites_first"]

#: What scipy.optimize.milp returns as status where a limit of time (not of nodes) was met.
_TIME_LIMIT = 1

#: Costs that differ by less are equal.
_TOLERANCE = 1e-9

#: The fold of a block that has none yet.
OPEN = -1


@dataclass(frozen=True, slots=True)
class Solution:
    """A fold for each block, and how good it is.

    Attributes
    ----------
    folds
        (n_blocks,) int.
    solver
        What found it: ``milp``, ``greedy`` (or the one, then the other) or ``one block per fold``.
    objective
        `Problem.cost` of it.
    bound
        No solution is better than this; None where it is not known.
    nodes
        How many nodes the integer programme searched.
    """

    folds: NDArray[np.int64]
    solver: str
    objective: float
    bound: float | None = None
    nodes: int = 0

    @property
    def gap(self) -> float | None:
        """How far the objective may be from the best one, relative to itself."""
        if self.bound is None:
            return None
        return max(0.0, (self.objective - self.bound) / self.objective) if self.objective > 0 else 0.0


def greedy(problem: Problem) -> Solution:
    """Put each block, the largest first, into the fold that has least of what the block holds."""
    n_blocks = len(problem.blocks)
    if n_blocks <= problem.k:
        folds = np.arange(n_blocks, dtype=np.int64)
        return Solution(folds, "one block per fold", problem.cost(folds))
    folds = _filled(problem, np.full(n_blocks, OPEN))
    return Solution(folds, "greedy", problem.cost(folds))


def sites_first(problem: Problem, has_site: NDArray[np.bool_], *, node_limit: int, time_limit_s: float) -> Solution:
    """Place the blocks with a site by the integer programme and then, one by one, the people without.

    Hundreds of single people would make the programme large and the answer no better.

    Raises
    ------
    SplitError
        As `integer_programme` does.
    """
    if not has_site.any():
        return greedy(problem)
    found = integer_programme(problem.only(has_site), node_limit=node_limit, time_limit_s=time_limit_s)
    if has_site.all():
        return found
    folds = np.full(len(problem.blocks), OPEN)
    folds[has_site] = found.folds
    folds = _filled(problem, folds)
    return Solution(folds, f"{found.solver}, then greedy", problem.cost(folds), nodes=found.nodes)


def _filled(problem: Problem, folds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return `folds` with every open block put, in the order of the blocks, where it fits best."""
    folds, placed = folds.copy(), folds != OPEN
    held = np.zeros((problem.k, len(problem.dims)))
    np.add.at(held, folds[placed], problem.counts[placed])
    # Squares, so that of two folds the emptier one is always the better place.
    price = problem.scale / np.maximum(problem.targets, 1.0)
    absent = np.where(problem.wanted, ABSENT, 0.0)
    for i in np.flatnonzero(~placed):
        counts = problem.counts[i]
        added = ((2.0 * held + counts) * counts) @ price - ((held == 0) & (counts > 0)) @ absent
        # Rounded, so that what differs by the order of a sum alone is a tie, and goes to the first fold.
        folds[i] = int(np.argmin(np.round(added, 9)))
        held[folds[i]] += counts
    return folds


def polished(problem: Problem, folds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return `folds` after every move of one block, or swap of two, that lowers the cost; the best one first.

    No fold is left empty.
    """
    best = folds.copy()
    cost = round(problem.cost(best), 9)
    while True:
        one, other, to = _exchanges(best, problem.k)
        if not len(one):
            return best
        given = problem.counts[one] - np.where(other[:, None] >= 0, problem.counts[other], 0.0)
        held = np.repeat(problem.loads(best)[None], len(one), axis=0)
        every = np.arange(len(one))
        held[every, best[one]] -= given
        held[every, to] += given
        # Rounded, so that of exchanges as good as each other the first one is taken on every machine.
        costs = problem.cost_of(held).round(9)
        taken = int(costs.argmin())
        if costs[taken] >= cost:
            return best
        cost = float(costs[taken])
        if other[taken] >= 0:
            best[other[taken]] = best[one[taken]]
        best[one[taken]] = to[taken]


def _exchanges(folds: NDArray[np.int64], k: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return, for each move or swap, the block, the block that it changes places with (-1: none), and where it goes."""
    n_blocks, crowded = len(folds), np.bincount(folds, minlength=k)[folds] > 1
    block, to = np.divmod(np.arange(n_blocks * k), k)
    moves = (folds[block] != to) & crowded[block]
    one, other = np.tril_indices(n_blocks, -1)
    swaps = folds[one] != folds[other]
    return (
        np.concatenate([block[moves], one[swaps]]),
        np.concatenate([np.full(int(moves.sum()), -1), other[swaps]]),
        np.concatenate([to[moves], folds[other[swaps]]]),
    )


def integer_programme(problem: Problem, *, node_limit: int, time_limit_s: float) -> Solution:
    """Minimise `Problem.cost` by branch and bound.

    Folds are alike until they are filled, so block i may only go to the folds 0..i: a solution that differs by the
    names of folds alone is not searched twice. The greedy solution is returned where no better one was found.

    Raises
    ------
    SplitError
        If the time ran out before the limit on nodes was met; what had been found by then would depend on the machine.
    """
    first = greedy(problem)
    if len(problem.blocks) <= problem.k:
        return first
    start = polished(problem, first.folds)
    reached = problem.cost(start)
    from scipy.optimize import Bounds, LinearConstraint, milp

    model = _model(problem)
    found = milp(
        model["c"],
        constraints=[
            LinearConstraint(model["A"], model["low"], model["high"]),
            LinearConstraint(model["c"], -np.inf, reached + _TOLERANCE),  # only what is better is worth a search
        ],
        bounds=Bounds(0.0, model["upper"]),
        integrality=model["integer"],
        options={"node_limit": node_limit, "time_limit": time_limit_s},
    )
    if found.status == _TIME_LIMIT:
        raise SplitError(
            f"{len(problem.blocks)} sites could not be put into {problem.k} folds within {time_limit_s:g} s",
            expected=f"{node_limit} nodes to be searched by then",
            run="lower split.node_limit, raise split.time_limit_s, or set split.strategy: grouped_kfold in params.yaml",
        )
    bound = float(found.mip_dual_bound) if found.mip_dual_bound is not None else None
    nodes = int(found.mip_node_count or 0)
    if found.x is not None:
        chosen = found.x[: len(problem.blocks) * problem.k].reshape(-1, problem.k).argmax(axis=1).astype(np.int64)
        chosen = polished(problem, chosen)
        if problem.cost(chosen) <= reached + _TOLERANCE:
            return Solution(chosen, "milp", problem.cost(chosen), bound, nodes)
    return Solution(start, "greedy", reached, bound, nodes)


def _model(problem: Problem) -> dict[str, Any]:
    """Return the arrays for x[block, fold], deviation[dim, fold], shortfall[dim] and absent[dim, fold]."""
    from scipy.sparse import coo_array

    k, (n_blocks, n_dims) = problem.k, problem.counts.shape
    weighed = np.flatnonzero(problem.weights > 0)
    wanted = np.flatnonzero(problem.wanted)
    d0 = n_blocks * k
    s0 = d0 + n_dims * k
    a0 = s0 + n_dims
    size = a0 + n_dims * k
    rows: list[tuple[list[int], list[float], float, float]] = [
        *(([b * k + f for f in range(k)], [1.0] * k, 1.0, 1.0) for b in range(n_blocks)),
        *(([b * k + f for b in range(n_blocks)], [1.0] * n_blocks, 1.0, np.inf) for f in range(k)),
    ]
    for d in range(n_dims):
        holders = np.flatnonzero(problem.counts[:, d])
        amounts = problem.counts[holders, d].tolist()
        target = float(problem.targets[d])
        for f in range(k):
            load = [int(b) * k + f for b in holders]
            if d in weighed:
                rows.append(([*load, d0 + d * k + f], [*amounts, -1.0], -np.inf, target))
                rows.append(([*load, d0 + d * k + f], [*amounts, 1.0], target, np.inf))
                rows.append(([*load, s0 + d], [*amounts, 1.0], target, np.inf))
            if d in wanted:
                rows.append(([*load, a0 + d * k + f], [*amounts, 1.0], 1.0, np.inf))
    index = np.repeat(np.arange(len(rows)), [len(r[0]) for r in rows])
    matrix = coo_array(
        (np.concatenate([r[1] for r in rows]), (index, np.concatenate([r[0] for r in rows]))), shape=(len(rows), size)
    ).tocsr()
    upper = np.full(size, np.inf)
    upper[:d0] = 1.0
    for b in range(min(k, n_blocks)):
        upper[b * k + b + 1 : b * k + k] = 0.0
    cost = np.zeros(size)
    cost[d0:s0] = np.repeat(problem.scale, k) / k
    cost[s0:a0] = problem.scale
    cost[a0:] = np.repeat(np.where(problem.wanted, ABSENT, 0.0), k)
    integer = np.zeros(size)
    integer[:d0] = 1
    return {
        "c": cost,
        "A": matrix,
        "low": np.array([r[2] for r in rows]),
        "high": np.array([r[3] for r in rows]),
        "upper": upper,
        "integer": integer,
    }
