"""Search for good folds by hand: fill them one block after another, then exchange blocks while that helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from omicstore.splits.problem import ABSENT, Problem, digest

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["OPEN", "filled", "polished", "searched"]

#: The fold of a block that has none yet.
OPEN = -1

#: How many starts a search makes, fewer where there are so many blocks that each one takes long.
_STARTS, _PAIRS = 64, 120_000

#: How many exchanges are costed at once, to bound the memory.
_CHUNK = 4096


def filled(problem: Problem, folds: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Return `folds` with every open block put, in their order, into the fold that has least of what it holds.

    Parameters
    ----------
    problem
        The blocks.
    folds
        (n_blocks,): the fold of each block, or `OPEN`. All are open where absent.
    """
    folds = np.full(len(problem.blocks), OPEN, dtype=np.int64) if folds is None else folds.copy()
    placed = folds != OPEN
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
        # Rounded, so that of exchanges as good as each other the first one is taken on every machine.
        costs = _costs(problem, best, one, other, to).round(9)
        taken = int(costs.argmin())
        if costs[taken] >= cost:
            return best
        cost = float(costs[taken])
        if other[taken] >= 0:
            best[other[taken]] = best[one[taken]]
        best[one[taken]] = to[taken]


def searched(problem: Problem) -> NDArray[np.int64]:
    """Return the best of many polished starts: the filled folds, and blocks dealt out in orders of no meaning."""
    n_blocks = len(problem.blocks)
    best = polished(problem, filled(problem))
    for start in range(1, min(_STARTS, max(1, _PAIRS // n_blocks**2))):
        order = sorted(range(n_blocks), key=lambda i: digest(start, problem.blocks[i]))
        dealt = np.empty(n_blocks, dtype=np.int64)
        dealt[order] = np.arange(n_blocks) % problem.k
        found = polished(problem, dealt)
        if round(problem.cost(found), 9) < round(problem.cost(best), 9):
            best = found
    return best


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


def _costs(
    problem: Problem,
    folds: NDArray[np.int64],
    one: NDArray[np.int64],
    other: NDArray[np.int64],
    to: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return (n_exchanges,): what the folds cost after each exchange alone."""
    loads, costs = problem.loads(folds), np.empty(len(one))
    for low in range(0, len(one), _CHUNK):
        part = slice(low, low + _CHUNK)
        given = problem.counts[one[part]] - np.where(other[part, None] >= 0, problem.counts[other[part]], 0.0)
        every = np.arange(len(given))
        held = np.repeat(loads[None], len(given), axis=0)
        held[every, folds[one[part]]] -= given
        held[every, to[part]] += given
        costs[part] = problem.cost_of(held)
    return costs
