"""The marks that processing leaves on numbers: codes that recur exactly, centres that agree too well, rounding.

Common to all three: numbers normalised together cannot bear them, however strong the biology. A gene that is silent in
one class has one code for zero in all classes; two groups of people never have one mean in every feature.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Codes", "agreement", "codes", "decimals", "grouped", "recurring", "spreads", "told_apart", "top_runs"]

#: A value that recurs so often in a group, and so many times as often as the next, is a code and no measurement.
LEAST_COPIES = 4
LEAST_SHARE = 0.05
OVER_NEXT = 3.0

#: In another group a group's own code may be found in this share of the profiles.
ELSEWHERE = 0.01

#: Two codes are two if they are further apart than this share of the feature's spread.
APART = 1e-4

#: Columns are sorted in blocks of this many, so that temporary arrays stay small.
_BLOCK = 1024

_PERMUTATIONS = 99

#: So many features are judged by their centres, at least and at most.
LEAST_FEATURES = 10
_MOST_FEATURES = 500

#: Values that are not rounded lie off a grid in at least this share.
_UNROUNDED = 0.5

#: A mark of codes needs so many features against those whose code is one and the same.
_AGAINST_SAME = 0.1

#: The chance that the codes of one feature are exclusive, times features and pairs of groups, is less than this.
_CHANCE = 0.01

#: Values that recur more often are no ground for centres.
_CONTINUOUS = 0.05

#: The finest rounding that is looked for, in decimals.
_FINEST = 6


def grouped(names: NDArray[np.str_], least: int = 8, most: int = 12) -> dict[str, NDArray[np.intp]]:
    """Return the rows of each group, of the `most` largest groups with at least `least` rows; "" is no group.

    Examples
    --------
    >>> {k: v.tolist() for k, v in grouped(np.array(["a", "b", "", "a"]), least=2).items()}
    {'a': [0, 3]}
    """
    levels, counts = np.unique(names[names != ""], return_counts=True)
    order = [i for i in np.argsort(-counts, kind="stable")[:most] if counts[i] >= least]
    return {str(levels[i]): np.flatnonzero(names == levels[i]) for i in sorted(order)}


def top_runs(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.intp], NDArray[np.intp]]:
    """Return for each column the value that recurs most often, how often, and how often the next one does.

    Parameters
    ----------
    values
        (n, F) with n >= 1, NaN = missing.

    Returns
    -------
    (F,) values (NaN where nothing is observed), (F,) and (F,) counts.

    Examples
    --------
    >>> value, first, second = top_runs(np.array([[0.0], [0.0], [3.0], [np.nan]], dtype=np.float32))
    >>> value.tolist(), first.tolist(), second.tolist()
    ([0.0], [2], [1])
    """
    n, width = values.shape
    value = np.full(width, np.nan, dtype=np.float32)
    first, second = np.zeros(width, dtype=np.intp), np.zeros(width, dtype=np.intp)
    for start in range(0, width, _BLOCK):
        ordered = np.sort(values[:, start : start + _BLOCK].T, axis=1)  # NaN last
        new = np.ones(ordered.shape, dtype=bool)
        new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        starts = np.flatnonzero(new)
        length = np.diff(np.append(starts, ordered.size))
        column, flat = starts // n, ordered.ravel()
        length[np.isnan(flat[starts])] = 0
        order = np.lexsort((-length, column))
        head = np.searchsorted(column[order], np.arange(ordered.shape[0]))
        block = slice(start, start + ordered.shape[0])
        best = order[head]
        first[block], value[block] = length[best], flat[starts[best]]
        several = np.bincount(column, minlength=ordered.shape[0]) > 1
        second[block] = np.where(several, length[order[np.minimum(head + 1, len(order) - 1)]], 0)
    return value, first, second


def recurring(values: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return the columns in which at least two values recur `LEAST_COPIES` times: the others bear one code or none."""
    return np.flatnonzero(top_runs(values)[2] >= LEAST_COPIES)


@dataclass(frozen=True, slots=True)
class Codes:
    """The codes of groups, over F features.

    Attributes
    ----------
    groups
        The G groups.
    value, share
        (G, F) the code of a feature in a group, NaN where it has none, and the share of observed values that are it.
    differ
        Columns in which two groups have codes that the other does not have: (column, group, group).
    same
        How many columns have one code in every two groups that have one.
    """

    groups: list[str]
    value: NDArray[np.float32]
    share: NDArray[np.float64]
    differ: list[tuple[int, int, int]]
    same: int


def codes(values: NDArray[np.float32], groups: dict[str, NDArray[np.intp]], total: int) -> Codes:
    """Find the values that recur exactly in groups, and the features whose code depends on the group.

    Parameters
    ----------
    values
        (n, F), NaN = missing.
    groups
        Rows by group.
    total
        Of how many features these are the candidates.

    Returns
    -------
    `differ` is empty where nearly all features have one and the same code: a table is normalised as a whole. A
    feature is in it if both codes lie at the same end of their group's values (or both within), are not to be found in
    the other group, and recur too often for that to be chance: were the bearers of a code people of either group, all
    would be of one with a probability of (n_1 / n) ** copies.
    """
    width = values.shape[1]
    value = np.full((len(groups), width), np.nan, dtype=np.float32)
    share = np.zeros((len(groups), width))
    spread = spreads(values)
    for i, rows in enumerate(groups.values()):
        own, first, second = top_runs(values[rows])
        seen = np.maximum((~np.isnan(values[rows])).sum(axis=0), 1)
        is_code = (first >= np.maximum(LEAST_COPIES, LEAST_SHARE * seen)) & (first >= OVER_NEXT * second)
        value[i], share[i] = np.where(is_code, own, np.nan), np.where(is_code, first / seen, 0.0)
    rows_of = list(groups.values())
    edges = [_edge(values[rows], own) for rows, own in zip(rows_of, value, strict=True)]
    pairs = list(combinations(range(len(groups)), 2))
    differ: dict[int, tuple[float, int, int]] = {}
    same = np.zeros(width, dtype=bool)
    for i, j in pairs:
        both = ~np.isnan(value[i]) & ~np.isnan(value[j])
        alike = both & (np.abs(value[i] - value[j]) <= APART * spread)
        same |= alike
        columns = np.flatnonzero(both & ~alike & (edges[i] == edges[j]))
        at_i, at_j = values[np.ix_(rows_of[i], columns)], values[np.ix_(rows_of[j], columns)]
        strays = np.maximum(_share_of(at_j, value[i, columns]), _share_of(at_i, value[j, columns]))
        copies_i, copies_j = (at_i == value[i, columns]).sum(axis=0), (at_j == value[j, columns]).sum(axis=0)
        part = len(rows_of[i]) / (len(rows_of[i]) + len(rows_of[j]))
        chance = copies_i * np.log(part) + copies_j * np.log1p(-part) + np.log(total * len(pairs))
        for column in columns[(strays <= ELSEWHERE) & (chance < np.log(_CHANCE))].tolist():
            clear = float(min(share[i, column], share[j, column]))
            if clear > differ.get(column, (0.0, 0, 0))[0]:
                differ[column] = (clear, i, j)
    strongest = sorted(differ.items(), key=lambda item: (-item[1][0], item[0]))
    if len(differ) < _AGAINST_SAME * same.sum():
        strongest = []
    return Codes(list(groups), value, share, [(c, i, j) for c, (_, i, j) in strongest], int(same.sum()))


def _edge(values: NDArray[np.float32], code: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return whether a code lies at the lower end of what is observed (-1), at the upper (1), or within (0).

    A code for zero is the lowest value or nearly so: normalising may set a few stray values beside it.
    """
    seen = np.maximum((~np.isnan(values)).sum(axis=0), 1)
    below, above = (values < code).sum(axis=0) / seen, (values > code).sum(axis=0) / seen
    return np.where(below <= ELSEWHERE, -1, np.where(above <= ELSEWHERE, 1, 0))


def _share_of(values: NDArray[np.float32], code: NDArray[np.float32]) -> NDArray[np.float64]:
    seen = np.maximum((~np.isnan(values)).sum(axis=0), 1)
    return np.asarray((values == code).sum(axis=0) / seen)


def spreads(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the standard deviation of each column over what is observed; 0 where nothing is."""
    seen = ~np.isnan(values)
    n = np.maximum(seen.sum(axis=0), 1)
    filled = np.where(seen, values, 0.0)
    mean = filled.sum(axis=0) / n
    return np.asarray(np.sqrt((np.where(seen, filled - mean, 0.0) ** 2).sum(axis=0) / n))


def told_apart(values: NDArray[np.float32], first: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Return how well one threshold on one feature tells two groups apart.

    Parameters
    ----------
    values
        (n,) without NaN, of the people of both groups.
    first
        (n,) who is of the first group.

    Returns
    -------
    The best balanced accuracy of any threshold, the accuracy there, and the area under the ROC curve (at least 0.5).

    Examples
    --------
    >>> told_apart(np.array([0.0, 0.0, 1.0, 7.0]), np.array([True, True, False, False]))
    (1.0, 1.0, 1.0)
    """
    from scipy.stats import rankdata

    order = np.argsort(values, kind="stable")
    ordered, is_first = values[order], first[order]
    n_first, n_second = max(int(first.sum()), 1), max(int((~first).sum()), 1)
    hits_first, hits_second = np.cumsum(is_first), np.cumsum(~is_first)
    cut = np.append(ordered[1:] != ordered[:-1], True)
    balanced = np.where(cut, (hits_first / n_first + 1 - hits_second / n_second) / 2, 0.5)
    best = int(np.argmax(np.abs(balanced - 0.5)))
    right = float(hits_first[best] + n_second - hits_second[best]) / (n_first + n_second)
    turned = balanced[best] < 0.5
    area = (rankdata(values)[first].sum() - n_first * (n_first + 1) / 2) / (n_first * n_second)
    score = float(balanced[best])
    return (1 - score if turned else score, 1 - right if turned else right, float(max(area, 1 - area)))


def agreement(
    values: NDArray[np.float32], groups: dict[str, NDArray[np.intp]], rng: np.random.Generator
) -> list[tuple[str, float, float]]:
    """Find groups whose means agree better than those of any groups of people can.

    For every two groups, the t statistics of all features between them (Welch), and for each group alone those of its
    means against 0: their median is about 0.67 for groups drawn by chance from one lot and more for groups that differ.
    Normalising the groups apart makes it nearly 0. What chance gives is drawn by permuting who is in which group.

    Parameters
    ----------
    values
        (n, F), NaN = missing.
    groups
        Rows by group.
    rng
        For the permutations and the choice of features.

    Returns
    -------
    ``(what, median absolute t, the least of the permutations)`` of whatever is below both 0.15 and half of that least,
    the clearest first.
    """
    rows = np.concatenate(list(groups.values()))
    sizes = [len(r) for r in groups.values()]
    drawn = np.sort(rng.permutation(values.shape[1])[: 2 * _MOST_FEATURES])
    seen = np.min([(~np.isnan(values[np.ix_(r, drawn)])).mean(axis=0) for r in groups.values()], axis=0)
    recurs = top_runs(values[np.ix_(rows, drawn)])[1] > _CONTINUOUS * len(rows)
    usable = drawn[(seen >= 0.5) & ~recurs][:_MOST_FEATURES]
    if len(usable) < LEAST_FEATURES:
        return []
    pool = values[np.ix_(rows, usable)].astype(np.float64)
    names = [*(f"{a} and {b}" for a, b in combinations(groups, 2)), *groups]
    found: dict[str, tuple[float, float]] = {}
    for scale in _scales(pool):
        observed = _median_t(scale, sizes, center=True)
        if not (observed < 0.15).any():
            continue
        least = np.full(len(names), np.inf)
        for _ in range(_PERMUTATIONS):
            least = np.minimum(least, _median_t(scale[rng.permutation(len(scale))], sizes, center=False))
        for name, own, chance in zip(names, observed, least, strict=True):
            if own < min(0.15, 0.5 * chance) and own < found.get(name, (np.inf, 0.0))[0]:
                found[name] = (float(own), float(chance))
    return sorted(((name, own, chance) for name, (own, chance) in found.items()), key=lambda f: (f[1], f[0]))


def _scales(pool: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return the values as they are and, where they have no sign, their logarithms: one may have been centred."""
    if np.nanmin(pool) < 0:
        return [pool]
    return [pool, np.log1p(pool)]


def _median_t(values: NDArray[np.float64], sizes: list[int], *, center: bool) -> NDArray[np.float64]:
    """Return the median |t| of every two groups (consecutive rows), then of every group against 0.

    With `center` the centre is the better of mean and median; for permutations the mean alone will do.
    """
    parts = np.split(values, np.cumsum(sizes)[:-1])
    counts = [np.maximum((~np.isnan(p)).sum(axis=0), 1) for p in parts]
    mean = [np.nansum(p, axis=0) / n for p, n in zip(parts, counts, strict=True)]
    error = [np.nansum((p - m) ** 2, axis=0) / n**2 for p, m, n in zip(parts, mean, counts, strict=True)]
    centres = [mean, [np.nanmedian(p, axis=0) for p in parts]] if center else [mean]
    best = np.full(len(parts) * (len(parts) + 1) // 2, np.inf)
    for at in centres:
        pairs = [(at[i] - at[j], error[i] + error[j]) for i, j in combinations(range(len(parts)), 2)]
        alone = list(zip(at, error, strict=True))
        best = np.minimum(best, [_median_ratio(difference, squared) for difference, squared in (*pairs, *alone)])
    return best


def _median_ratio(difference: NDArray[np.float64], squared: NDArray[np.float64]) -> float:
    """Return the median |t|; features that do not vary in the groups say nothing."""
    varies = squared > 0
    return float(np.median(np.abs(difference[varies]) / np.sqrt(squared[varies]))) if varies.any() else np.inf


def decimals(parts: list[NDArray[np.float32]]) -> list[int | None]:
    """Return how many decimals each of several parts is rounded to, where they differ; None where a part is not.

    Only values are judged whose own precision, that of float32, is finer than the grid. A part counts as rounded to
    so many decimals only if another part clearly is not; else all are None.

    Examples
    --------
    >>> line = np.linspace(0.0, 1.0, 300, dtype=np.float32) ** 2
    >>> decimals([line, line.round(2)])
    [None, 2]
    >>> decimals([line.round(2), line.round(2)])
    [None, None]
    """
    seen = [p[~np.isnan(p) & (p != 0)].astype(np.float64) for p in parts]
    found: list[int | None] = [None] * len(parts)
    for places in range(_FINEST):
        off = [_off_grid(values, 10.0**places) for values in seen]
        if max(off, default=0.0) < _UNROUNDED:
            continue
        for i, share in enumerate(off):
            if found[i] is None and 0 <= share < ELSEWHERE:
                found[i] = places
    return found


def _off_grid(values: NDArray[np.float64], scale: float) -> float:
    """Return the share of values that lie off the grid of 1 / `scale`; negative where too few could show it."""
    scaled = values * scale
    error = np.abs(scaled) * 2.0**-23  # twice the rounding of float32
    fine = error < _UNROUNDED / 20
    if fine.sum() < 50 or fine.mean() < 0.5:
        return -1.0
    return float((np.abs(scaled - np.rint(scaled)) > error + 1e-9)[fine].mean())
