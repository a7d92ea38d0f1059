"""Taking out of a report what gives a label away, with a record from which the report can be put together again."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omicstore.files import canonical_cell
from omicstore.text.vocabulary import TOKEN, label_rules, task_rules, tasks_of, unknown_task, word_rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from omicstore.text.vocabulary import Rule

__all__ = ["TOKEN", "Redacted", "Redaction", "Vocabulary", "covers", "redact", "redacted_tasks", "restore", "to_record"]


#: What may stand between two matches that are taken out as one.
_GAP = re.compile(r"[^\w\n]{0,4}")


@dataclass(frozen=True, slots=True)
class Redaction:
    """What was taken out: where it began and ended in the original text, what it was, and the rule that found it."""

    start: int
    end: int
    what: str
    rule: str


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text without the words of a vocabulary, and what was taken out, in order."""

    text: str
    redactions: tuple[Redaction, ...]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The rules for one or several tasks.

    Attributes
    ----------
    tasks
        The tasks that a text is free of once it is redacted, sorted.
    rules
        What finds their words.
    """

    tasks: tuple[str, ...]
    rules: tuple[Rule, ...]

    @classmethod
    def of(
        cls, tasks: Iterable[str], words: Iterable[str] = (), labels: Mapping[str, Sequence[str]] | None = None
    ) -> Vocabulary:
        """Collect the words of tasks.

        Parameters
        ----------
        tasks
            Names of `omicstore.text.vocabulary.TASKS`, or tasks that the study has labels for.
        words
            Further words, and regular expressions between slashes.
        labels
            Task to the labels that the study has for it; they and their synonyms are redacted too.

        Raises
        ------
        UnknownNameError
            If a task is neither; names the nearest ones.
        StudyError
            If a word is no word and no regular expression.

        Examples
        --------
        >>> Vocabulary.of(["subtype"], labels={"subtype": ["CCRCC", "PRCC"]}).tasks
        ('subtype',)
        """
        labels = labels or {}
        rules: dict[str, Rule] = {}
        for task in tasks:
            known = task_rules(task)
            if known is None and task not in labels:
                raise unknown_task(task, sorted(labels))
            for rule in (*(known or ()), *label_rules(list(labels.get(task, ())))):
                rules.setdefault(rule.name, rule)
        for word in words:
            rules.setdefault(word, word_rule(word))
        return cls(tuple(sorted(set(tasks))), tuple(rules.values()))


def redact(text: str, vocabulary: Vocabulary) -> Redacted:
    """Replace every match of a vocabulary by `TOKEN`.

    Where matches overlap, the longest counts, then the first. Matches with nothing but blanks and marks between them
    are taken out as one: "papillary, type 2" shall not be told from "clear cell" by the number of tokens. Afterwards no
    rule matches the text: where taking one match out makes another, that is taken out too.

    Examples
    --------
    >>> found = redact("Clear cell carcinoma.", Vocabulary.of(["kidney_subtype"]))
    >>> found.text, found.redactions[0].what
    ('[REDACTED] carcinoma.', 'Clear cell')
    """
    spans: list[tuple[int, int, str]] = []
    now = text
    while found := _longest(now, vocabulary):
        before, spans = spans, _neighbours(text, _merged(spans, found))
        if spans == before:  # a pattern that looks at what stands round it may find the token itself
            break
        now = _replaced(text, spans)
    return Redacted(now, tuple(Redaction(start, end, text[start:end], rule) for start, end, rule in spans))


def restore(redacted: Redacted) -> str:
    """Return the original text.

    Examples
    --------
    >>> restore(redact("a papillary tumor", Vocabulary.of(["kidney_subtype"])))
    'a papillary tumor'
    """
    pieces, at, shift = [], 0, 0
    for redaction in redacted.redactions:
        start = redaction.start + shift
        pieces += [redacted.text[at:start], redaction.what]
        at = start + len(TOKEN)
        shift += len(TOKEN) - len(redaction.what)
    return "".join([*pieces, redacted.text[at:]])


def to_record(redacted: Redacted, vocabulary: Vocabulary) -> str:
    """Return the record that the store keeps beside a text, as canonical JSON.

    It has ``tasks``, ``counts`` by rule, and ``spans``: start, end, what and rule of each redaction.
    """
    body = {
        "tasks": list(vocabulary.tasks),
        "counts": dict(Counter(r.rule for r in redacted.redactions)),
        "spans": [[r.start, r.end, r.what, r.rule] for r in redacted.redactions],
    }
    return canonical_cell(body)


def redacted_tasks(record: str | None) -> frozenset[str]:
    """Return the tasks of a record, none where there is no record.

    Examples
    --------
    >>> sorted(redacted_tasks('{"counts":{},"spans":[],"tasks":["pam50"]}'))
    ['pam50']
    """
    return frozenset(json.loads(record)["tasks"]) if record else frozenset()


def covers(redacted: Iterable[str], task: str, labels: Iterable[str]) -> bool:
    """Whether a text that was redacted for some tasks is redacted for another, by its name or by its labels.

    Examples
    --------
    >>> covers(["kidney_subtype"], "subtype", ["CCRCC", "PRCC"]), covers(["stage"], "subtype", ["CCRCC"])
    (True, False)
    """
    done = set(redacted)
    same = set(tasks_of(labels))
    return task in done or (bool(same) and same <= done)


def _longest(text: str, vocabulary: Vocabulary) -> list[tuple[int, int, str]]:
    """Return the matches in a text, none overlapping another, in order."""
    found = [
        (match.start(), match.end(), rule.name)
        for rule in vocabulary.rules
        for match in rule.pattern.finditer(text)
        if match.end() > match.start()
    ]
    taken: list[tuple[int, int, str]] = []
    for start, end, name in sorted(found, key=lambda m: (m[0] - m[1], m[0], m[2])):
        if all(end <= other[0] or start >= other[1] for other in taken):
            taken.append((start, end, name))
    return sorted(taken)


def _merged(spans: list[tuple[int, int, str]], found: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Add matches of the text with tokens to the spans of the original; one that takes in a token takes in its span."""
    if not spans:
        return found
    grown = list(spans)
    for start, end, name in found:
        first, last = _original(start, spans, at_end=False), _original(end, spans, at_end=True)
        inside = [s for s in grown if s[0] < last and s[1] > first]
        grown = [s for s in grown if s not in inside]
        grown.append((min([first, *(s[0] for s in inside)]), max([last, *(s[1] for s in inside)]), name))
    return sorted(grown)


def _neighbours(text: str, spans: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Put spans of one line together that have no letter and no number between them; their rules are named both."""
    found: list[tuple[int, int, str]] = []
    for start, end, name in spans:
        if found and _GAP.fullmatch(text, found[-1][1], start):
            first, _, names = found.pop()
            found.append((first, end, " + ".join(dict.fromkeys([*names.split(" + "), *name.split(" + ")]))))
        else:
            found.append((start, end, name))
    return found


def _original(position: int, spans: list[tuple[int, int, str]], *, at_end: bool) -> int:
    """Return where a position of the text with tokens was in the original."""
    shift = 0
    for start, end, _ in spans:
        token = start + shift
        if position <= token:
            break
        if position < token + len(TOKEN):
            return end if at_end else start
        shift += len(TOKEN) - (end - start)
    return position - shift


def _replaced(text: str, spans: list[tuple[int, int, str]]) -> str:
    pieces, at = [], 0
    for start, end, _ in spans:
        pieces += [text[at:start], TOKEN]
        at = end
    return "".join([*pieces, text[at:]])
