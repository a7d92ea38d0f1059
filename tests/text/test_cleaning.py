"""Cleaning takes debris out of report text, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omicstore.text.cleaning import clean

DEBRIS = st.sampled_from(
    [
        "", "\x00", "\x0c", "\u00ad", "\u200b", "\r\n", "\t\r\u00a0", "-----------", "........", "\u25ba\u2502\u2588",
        "\nPage 1 of 3\n", "\npage 12/ 14\n", "\nUUID:935F1F78-4048-4844-81F0-1E56842A73B1\n",
        "\n11111IIIIIIIIII111111IIII\n", "\nTCGA-2K-A9WE-01A-PR Redacted\n", "\n^- \u00a2! + : ^ ;,)-+\n", " \n \n",
    ]
)  # fmt: skip
WORDS = st.sampled_from(
    ["tumor", "the", "margin", "is", "III", "IV", "pT2b", "N0", "G3", "stage", "2.5", "17", "cm", "0/5", "12%",
     "tan-pink", "x", "(A)", "Fuhrman", "5'", "no", "I", "II", "B"]
)  # fmt: skip
LINES = st.lists(st.lists(WORDS, min_size=1, max_size=8).map(" ".join), min_size=1, max_size=6)


@given(st.text(alphabet=st.characters(max_codepoint=0x2600), max_size=300))
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    once = clean(text)
    assert clean(once) == once


@given(LINES, st.lists(DEBRIS, min_size=6, max_size=6))
def test_words_numbers_and_stages_stay_and_debris_goes(lines: list[str], debris: list[str]) -> None:
    dirty = "".join(f"{junk}\n{line}\n" for line, junk in zip(lines, debris, strict=False))
    assert clean("\n".join(lines)) == "\n".join(lines)
    assert clean(dirty).split() == " ".join(lines).split()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("lym-\nphoma and lymphoma", "lymphoma and lymphoma"),  # the text has the word in one piece
        ("metas-\ntasis", "metas-tasis"),  # nothing says what it was: the hyphen stays
        ("infiltra-\ntion", "infiltration"),  # no word ends so by itself
        ("a ﬁrm, cauliﬂower-\u00ad\u2010shaped mass", "a firm, cauliflower-shaped mass"),
        ("\x00S\x00t\x00a\x00g\x00e\x00 \x002", "Stage 2"),
        ("right\t\r \u00a0colon\t\r \u00a0mass", "right colon mass"),
        ("Stage\nIII\n", "Stage\nIII"),
        ("QUID:2CBB7085-A503-4385.9E05.5D019243E127\nTOGA-2K-A9WE-01A -PR Redacted\nReport", "Report"),
        ("one Page 3 of 5 two", "one two"),
        ("ICD-O-3\nC24:\nS11-7823", "ICD-O-3\nC24:\nS11-7823"),  # codes are no debris
        (" \x0c\n ", ""),
    ],
)
def test_known_kinds_of_debris(raw: str, expected: str) -> None:
    assert clean(raw) == expected


@pytest.mark.parametrize(("cohort", "shrinks"), [("BLCA", 0.05), ("COADREAD", 0.35), ("KIDNEY", 0.1)])
def test_real_reports_keep_their_words_and_numbers(real_data: Path, cohort: str, shrinks: float) -> None:
    table = pl.read_csv(real_data / "tcga" / cohort / "path_reports.csv.gz", infer_schema=False)
    texts = table["ocr_text"].drop_nulls().head(150).to_list()
    done = [clean(text) for text in texts]
    assert sum(map(len, done)) >= (1 - shrinks) * sum(map(len, texts))
    assert all(clean(text) == text for text in done)
    assert not any(re.search(r"[\x00-\x09\x0b-\x1f\ufb00-\ufb06]|I{8}|UUID:[0-9A-F]{8}", text) for text in done)
    for raw, text in zip(texts, done, strict=True):
        sizes = re.findall(r"(?<!\S)\d+\.\d+ ?x ?\d+\.\d+ ?x ?\d+\.\d+ cm", raw)
        assert all(size in text for size in sizes), raw[:80]
        assert bool(text) == bool(raw.strip())
