"""Words of report texts that tell a label."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Telling", "telling_words", "words_of"]

#: Words in fewer texts are not judged; nor are classes of fewer people.
_LEAST_TEXTS = 4
LEAST_CLASS = 8

#: Of the texts with a word, so many are of one class, if the word is to tell it.
_SURE = 0.9

#: The greatest p value: of a word that names a class, and of any word, times words and classes.
_P_NAMED, _P_ANY = 0.01, 1e-3

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Telling:
    """A word that tells a class.

    Attributes
    ----------
    word, label
        The word, and the class.
    names
        Whether it is a word of a class's name.
    n, of_class
        Texts with it, and those of them that are of the class.
    size
        Texts of the class.
    p
        Hypergeometric p value, not corrected.
    """

    word: str
    label: str
    names: bool
    n: int
    of_class: int
    size: int
    p: float

    @property
    def is_code(self) -> bool:
        """Whether it has a digit and names no class: a site's code, a number, not a diagnosis."""
        return not self.names and any(c.isdigit() for c in self.word)


def words_of(text: str) -> set[str]:
    """Return the words of a text, lower case, of two characters and more, and those of a number with letters.

    Examples
    --------
    >>> sorted(words_of("Clear cell, pT2 (XQ7)."))
    ['cell', 'clear', 'pt2', 'xq7']
    """
    return {w for w in _WORD.findall(text.lower()) if len(w) > 1}


def telling_words(texts: Sequence[str], labels: NDArray[np.str_]) -> list[Telling]:
    """Return the words that tell a class: those that name one first, and the surest first.

    A word tells a class if nearly all texts with it are of the class, more than chance gives (hypergeometric): by
    Bonferroni's correction for any word, and without for the words that classes are named by.

    Parameters
    ----------
    texts
        n texts, one per patient.
    labels
        (n,) the patients' classes.
    """
    from scipy.stats import hypergeom

    classes = [str(c) for c in np.unique(labels) if (labels == c).sum() >= LEAST_CLASS]
    if len(classes) < 2:
        return []
    own = [words_of(text) for text in texts]
    counts: dict[str, int] = {}
    for words in own:
        for word in words:
            counts[word] = counts.get(word, 0) + 1
    judged = sorted(word for word, count in counts.items() if count >= _LEAST_TEXTS)
    if not judged:
        return []
    place = {word: i for i, word in enumerate(judged)}
    there = np.zeros((len(own), len(judged)), dtype=bool)
    for i, words in enumerate(own):
        there[i, [place[w] for w in words if w in place]] = True
    naming = {label: words_of(label) for label in classes}
    all_names = set().union(*naming.values()) if naming else set()
    n = there.sum(axis=0)
    found = []
    for label in classes:
        mine = labels == label
        hits = there[mine].sum(axis=0)
        # one class may be most of the texts: then a word says nothing by being in it
        sure = hits >= np.maximum(_SURE, (1 + mine.mean()) / 2) * n
        p = hypergeom.sf(hits - 1, len(own), int(mine.sum()), n)
        limit = np.full(len(judged), _P_ANY / (len(judged) * len(classes)))
        limit[[place[w] for w in naming[label] if w in place]] = _P_NAMED
        for k in np.flatnonzero(sure & (p <= limit)).tolist():
            seen, own_class = int(n[k]), int(hits[k])
            named = judged[k] in all_names
            found.append(Telling(judged[k], label, named, seen, own_class, int(mine.sum()), float(p[k])))
    return sorted(found, key=lambda t: (not t.names, t.p, t.word))
