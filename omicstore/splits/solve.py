"""Put blocks into folds: one after another, or by a search and an integer programme that bounds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from omicstore.errors import SplitError
from omicstore.progress import task
from omicstore.splits.problem import ABSENT, Problem
from omicstore.splits.search import OPEN, filled, polished, searched

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Solution", "greedy", "integer_programme", "sites_first"]

#: What scipy.optimize.milp returns as status where a limit of time (not of nodes) was met.
_TIME_LIMIT = 1


@dataclass(frozen=True, slots=True)
class Solution:
    """A fold for each block, and how good it is.

    Attributes
    ----------
    folds
        (n_blocks,) int.
    solver
        What found it: ``milp``, ``local search``, ``greedy``, or ``one block per fold``.
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
    if len(problem.blocks) <= problem.k:
        folds = np.arange(len(problem.blocks), dtype=np.int64)
        return Solution(folds, "one block per fold", problem.cost(folds))
    folds = filled(problem)
    return Solution(folds, "greedy", problem.cost(folds))


def sites_first(problem: Problem, has_site: NDArray[np.bool_], *, node_limit: int, time_limit_s: float) -> Solution:
    """Place the blocks with a site by `integer_programme` and then, one by one, the people without.

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
    folds = np.full(len(problem.blocks), OPEN, dtype=np.int64)
    folds[has_site] = found.folds
    folds = filled(problem, folds)
    return Solution(folds, f"{found.solver}, then greedy", problem.cost(folds), nodes=found.nodes)


def integer_programme(problem: Problem, *, node_limit: int, time_limit_s: float) -> Solution:
    """Minimise `Problem.cost`: by branch and bound, which also says how good the best can be, and by a local search.

    Folds are alike until they are filled, so in the programme block i may only go to the folds 0..i: a solution that
    differs by the names of folds alone is not searched twice. The better of both is returned; on a tie the programme's.

    Raises
    ------
    SplitError
        If the time ran out before the limit on nodes was met; what had been found by then would depend on the machine.
    """
    if len(problem.blocks) <= problem.k:
        return greedy(problem)
    from scipy.optimize import Bounds, LinearConstraint, milp

    model = _model(problem)
    with task(f"balancing {len(problem.blocks)} blocks over {problem.k} folds (at most {time_limit_s:g} s)"):
        found = milp(
            model["c"],
            constraints=LinearConstraint(model["A"], model["low"], model["high"]),
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
    tried = {"local search": searched(problem)}
    if found.x is not None:
        chosen = found.x[: len(problem.blocks) * problem.k].reshape(-1, problem.k).argmax(axis=1).astype(np.int64)
        tried = {"milp": polished(problem, chosen), **tried}
    solver = min(tried, key=lambda name: round(problem.cost(tried[name]), 9))
    bound = None if found.mip_dual_bound is None else float(found.mip_dual_bound)
    return Solution(tried[solver], solver, problem.cost(tried[solver]), bound, int(found.mip_node_count or 0))


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
