"""Redaction leaves nothing of a vocabulary in a text, and keeps what it takes out."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omicstore.errors import StudyError, UnknownNameError
from omicstore.text.redaction import TOKEN, Vocabulary, redact, redacted_tasks, restore, to_record
from omicstore.text.vocabulary import TASKS, label_rules, word_rule

PIECES = st.lists(
    st.sampled_from(
        ["clear", "cell", "Clear-\ncell", "papi1lary", "Chromo-\nphobe", "pT3a", "N0", "stage", "III", "Fuhrman", "grade",
         "3", "HER2", "luminal", " ", " ", "\n", "-", ", ", "conventional (", ")", "died", "x", "ER:", "positive", "."]
    ),
    max_size=30,
).map("".join)  # fmt: skip


@given(PIECES, st.sets(st.sampled_from(TASKS), min_size=1))
def test_nothing_matches_afterwards_and_the_original_comes_back(text: str, tasks: set[str]) -> None:
    vocabulary = Vocabulary.of(sorted(tasks), words=["x", "/pos.*ve/"])
    found = redact(text, vocabulary)
    assert not any(rule.pattern.search(found.text) for rule in vocabulary.rules)
    assert restore(found) == text
    assert all(text[r.start : r.end] == r.what for r in found.redactions)
    assert found.text.count(TOKEN) == len(found.redactions)


@given(st.text(max_size=80), st.text(alphabet="abc ", min_size=1, max_size=4).filter(str.strip))
def test_any_word_can_be_redacted(text: str, word: str) -> None:
    vocabulary = Vocabulary.of([], words=[word.strip()])
    found = redact(text, vocabulary)
    assert restore(found) == text
    assert not vocabulary.rules[0].pattern.search(found.text)


@pytest.mark.parametrize(
    "text",
    ["clear cell", "CLEAR-CELL", "clear\ncelled", "clear -cell", "c1ear ce11", "papillary", "PAPILLARY", "papiI1ary",
     "Chromophobe", "chromo-\nphobe", "ccRCC", "conventional (clear cell)", "oncocytoma"],
)  # fmt: skip
def test_ways_to_write_a_kidney_subtype(text: str) -> None:
    found = redact(f"Renal carcinoma, {text}; 2.5 cm.", Vocabulary.of(["kidney_subtype"]))
    assert found.text == f"Renal carcinoma, {TOKEN}; 2.5 cm."


@pytest.mark.parametrize(
    ("task", "text"),
    [
        ("stage", "No tumor at a margin of 2 cm x 3 cm; T cells, CT of chest"),
        ("grade", "upgrade; tumor of 3 cm, a degraded sample"),
        ("pam50", "the normal breast; superior margin PR"),
        ("kidney_subtype", "renal cell carcinoma, cells with nuclei; a clear margin"),
        ("colorectal_site", "a tan color"),
    ],
)
def test_other_words_stay(task: str, text: str) -> None:
    assert redact(text, Vocabulary.of([task])).text == text


@pytest.mark.parametrize(
    ("task", "text"),
    [
        ("kidney_subtype", "papilIae tubulopapillary apillary papillmy ofpapillary conventia chomophil oncocyllc CRCC"),
        ("stage", "pT2A T2A PT4 pTla pT2b,NO,MX pT3aNxMx PT38 pNl StagingTNM dStage T2,N0,M0"),
        ("grade", "High-gradeTUMOR ActivityGrade gradeProvide G3"),
    ],
)
def test_words_as_scans_have_them(task: str, text: str) -> None:
    left = redact(f"a {text.replace(' ', ' b ')} c", Vocabulary.of([task])).text
    assert set(left.split()) - set("abc") - {"TUMOR"} == {TOKEN}


@pytest.mark.parametrize(
    ("task", "text"),
    [
        ("kidney_subtype", "capillary vessels, nuclear cells"),
        ("stage", "NO tumor in T12; pancreas, 1.2 cm, PTH, CD10, PNET, pTumor"),
        ("grade", "squamous differentiation, a retrograde approach"),
    ],
)
def test_words_that_look_alike_stay(task: str, text: str) -> None:
    assert redact(text, Vocabulary.of([task])).text == text


def test_the_number_of_tokens_does_not_tell_the_label() -> None:
    vocabulary = Vocabulary.of(["kidney_subtype"])
    found = redact("RCC, papillary, type 2, of 4 cm", vocabulary)
    assert found.text == redact("RCC, clear cell, of 4 cm", vocabulary).text == f"RCC, {TOKEN}, of 4 cm"
    assert restore(found) == "RCC, papillary, type 2, of 4 cm"


def test_the_longest_match_counts() -> None:
    found = redact("basal-like type", Vocabulary.of(["pam50"], words=["basal"]))
    assert [(r.what, r.rule) for r in found.redactions] == [("basal-like", "basal like*")]


def test_labels_bring_their_task() -> None:
    rules = {rule.name for rule in label_rules(["CCRCC", "PRCC"])}
    assert {"CCRCC", "PRCC", "papillar*", "clear cell*", "chromophob*"} <= rules
    assert {"Stage IIA", "*staging*"} <= {rule.name for rule in label_rules(["Stage IIA"])}
    assert label_rules(["0", "1"]) == []  # numbers would be found in every report


def test_the_record_says_what_and_for_which_task() -> None:
    vocabulary = Vocabulary.of(["subtype"], labels={"subtype": ["KIRC"]})
    text = to_record(redact("a clear cell and clear cell tumor", vocabulary), vocabulary)
    assert json.loads(text) == {
        "counts": {"clear cell*": 2},
        "spans": [[2, 12, "clear cell", "clear cell*"], [17, 27, "clear cell", "clear cell*"]],
        "tasks": ["subtype"],
    }
    assert redacted_tasks(text) == {"subtype"}
    assert redacted_tasks(None) == frozenset()


def test_a_task_that_nobody_knows_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="pam50"):
        Vocabulary.of(["pam5"])
    with pytest.raises(StudyError, match="no regular expression"):
        word_rule("/(/")
    with pytest.raises(StudyError, match="finds nothing or everything"):
        word_rule("/x*/")
    with pytest.raises(StudyError, match="stands for what is taken out"):
        word_rule("redacted")
