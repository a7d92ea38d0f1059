"""The words by which a report gives a label away, by task (leak L9)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omicstore.errors import StudyError, UnknownNameError
from omicstore.text.terms import TERMS

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "TASKS",
    "TOKEN",
    "Rule",
    "label_rules",
    "pattern_rule",
    "task_rules",
    "tasks_of",
    "unknown_task",
    "word_rule",
]

#: What stands in a text where words were taken out.
TOKEN = "[REDACTED]"  # noqa: S105

#: Letters that optical character recognition takes for one another.
_LOOK_ALIKE = {"i": "[il1|!]", "l": "[il1|!]", "o": "[o0]", "s": "[s5]", "m": "(?:m|rn)", "e": "[ec]"}
#: What may stand between two words of a term, and inside a long word that was broken over two lines.
_BETWEEN, _BROKEN = r"[\s\-\u2010-\u2015_/.,]*", r"(?:\xad|-\s*)?"
_LONG = 6
_PATTERN = re.compile(r"(?:(?P<name>[\w ]+)=)?/(?P<pattern>.+)/", re.DOTALL)
#: A label so short would be found everywhere.
_SHORTEST_LABEL = 3


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing to redact: its name, as it is told in the record, and the pattern that finds it."""

    name: str
    pattern: re.Pattern[str]


#: The tasks that need no table of labels, sorted.
TASKS: tuple[str, ...] = tuple(sorted({entry.task for entry in TERMS}))


def task_rules(task: str) -> list[Rule] | None:
    """Return the rules of a task of `TASKS`, or None if it is none.

    Examples
    --------
    >>> [rule.name for rule in task_rules("kidney_subtype")][:1]
    ['clear cell*']
    """
    found = [_rule(term) for entry in TERMS if entry.task == task.casefold() for term in entry.terms]
    return found or None


def label_rules(labels: list[str]) -> list[Rule]:
    """Return the rules for a study's own labels: the labels themselves, and what reports call such things.

    One label of a known task brings all of that task's terms, since in a choice of two each names the other.

    Examples
    --------
    >>> names = [rule.name for rule in label_rules(["CCRCC", "PRCC"])]
    >>> "papillar*" in names, "chromophob*" in names, "CCRCC" in names
    (True, True, True)
    """
    found: dict[str, Rule] = {}
    for label in sorted(set(labels)):
        if len(_folded(label)) >= _SHORTEST_LABEL and not _folded(label).isdigit():
            rule = _rule(label.strip(" /*"))
            if not rule.pattern.search(TOKEN):
                found[label] = rule
        for task in tasks_of([label]):
            found |= {rule.name: rule for rule in task_rules(task) or ()}
    return list(found.values())


def tasks_of(labels: Iterable[str]) -> list[str]:
    """Return the tasks of `TASKS` that labels belong to, sorted.

    Examples
    --------
    >>> tasks_of(["CCRCC", "PRCC"]), tasks_of(["Stage IIA"]), tasks_of(["yes"])
    (['kidney_subtype'], ['stage'], [])
    """
    folded = {_folded(label) for label in labels}
    listed = {entry.task for entry in TERMS if entry.labels & folded}
    return sorted(listed.union(*(_told(label) for label in folded)))


def _folded(label: str) -> str:
    return re.sub(r"[^a-z0-9]", "", label.casefold())


def _told(folded: str) -> set[str]:
    """Return the task that a label names by its form: a stage or a grade."""
    if re.fullmatch(r"stage.*|i{1,3}[abc]?|iv[abc]?|p?[tnm][0-4x][a-d]?", folded):
        return {"stage"}
    return {"grade"} if re.fullmatch(r"grade.*|g[1-4x]|(?:high|low)(?:grade)?", folded) else set()


def word_rule(word: str) -> Rule:
    r"""Return the rule for a word or several, with ``*`` for any ending, or for a regular expression between slashes.

    A ``*`` before the word stands for any beginning, and ``~`` for one letter that was misread.

    Case, hyphens, broken lines and letters that look alike do not matter.

    Raises
    ------
    StudyError
        If it is empty, no regular expression, or would find the token that stands for what was taken out.

    Examples
    --------
    >>> bool(word_rule("clear cell*").pattern.search("a CLEAR-\ncelled tumor"))
    True
    >>> bool(word_rule("duct").pattern.search("product")), bool(word_rule("~lobular").pattern.search("lobuiar"))
    (False, True)
    """
    rule = _rule(word.strip())
    if rule.pattern.search(""):
        raise StudyError(f"{word!r} is to be redacted and finds nothing or everything", expected="a word, or /pattern/")
    if rule.pattern.search(TOKEN):
        raise StudyError(f"{word!r} is to be redacted and finds {TOKEN}, which stands for what is taken out")
    return rule


def pattern_rule(name: str, pattern: str) -> Rule:
    """Return the rule for a regular expression, which begins and ends at the border of a word.

    Raises
    ------
    StudyError
        If it is none.
    """
    try:
        return Rule(name, re.compile(rf"(?<![A-Za-z0-9])(?:{pattern})", re.IGNORECASE))
    except re.error as error:
        raise StudyError(f"{name} is no regular expression: {error}", expected="words, or /pattern/") from None


def unknown_task(task: str, labels: list[str]) -> UnknownNameError:
    """Return the error for a task that is neither known nor the study's."""
    return UnknownNameError("task to redact", task, [*TASKS, *labels])


def _rule(term: str) -> Rule:
    if named := _PATTERN.fullmatch(term):
        return pattern_rule(named["name"] or term, named["pattern"])
    name = term.removeprefix("~")
    # An abbreviation or a short word misread is another word.
    words = [word for word in re.split(r"[\s\-_/]+", name.strip("*")) if word]
    parts = [_word(word, exact=len(name) < _LONG, misread=name != term) for word in words]
    start, end = r"\w*" if name.startswith("*") else "", r"\w*" if name.endswith("*") else "(?:s|'s)?"
    body = _BETWEEN.join(parts) if parts else r"(?!)"
    return pattern_rule(name, rf"{start}{body}{end}(?![A-Za-z0-9])")


def _word(word: str, *, exact: bool, misread: bool) -> str:
    if exact or word.isupper():
        return "".join(re.escape(sign) for sign in word)
    between = _BROKEN if len(word) >= _LONG else ""
    signs = [_LOOK_ALIKE.get(sign, re.escape(sign)) for sign in word.casefold()]
    if not misread or len(word) < _LONG:
        return between.join(signs)
    # Any letter but the first is another, two, or none.
    ways = [signs, *([*signs[:i], r"\w{0,2}", *signs[i + 1 :]] for i in range(1, len(signs)))]
    return rf"{signs[0]}{between}(?:{'|'.join(between.join(way[1:]) for way in ways)})"
