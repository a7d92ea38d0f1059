"""Trained models from the Hugging Face hub: ``hf://OWNER/NAME`` or ``hf://OWNER/NAME@REVISION``.

A repository holds what ``artifacts/MODEL`` holds. Only JSON, safetensors and Markdown are downloaded, so nothing that
could run; and what was downloaded passes the same checks of its seals as a folder on the disk.
"""

from __future__ import annotations

import re
from pathlib import Path

from omicstore.errors import MissingExtraError, OmicstoreError, UsageError

__all__ = ["SCHEME", "fetch_model"]

SCHEME = "hf://"

_NAME = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")
_FILES = ["*.json", "*.safetensors", "*.md"]


def fetch_model(address: str) -> Path:
    """Return the folder of a model on the hub, downloaded unless it was before.

    Raises
    ------
    UsageError
        If the address is none.
    MissingExtraError
        If huggingface_hub is not installed.
    OmicstoreError
        If the hub has no such model, or does not answer and it was not downloaded before.
    """
    match = _NAME.fullmatch(address.removeprefix(SCHEME))
    if match is None:
        raise UsageError(
            f"{address!r} is no address of a model", expected="hf://OWNER/NAME or hf://OWNER/NAME@REVISION"
        )
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError
    except ImportError:
        raise MissingExtraError("huggingface_hub", "hub") from None
    try:
        return Path(snapshot_download(match["name"], revision=match["revision"], allow_patterns=_FILES))
    except (OSError, HFValidationError) as error:
        said = " ".join(str(error).split())
        raise OmicstoreError(
            f"{address} could not be had: {said[:300] or type(error).__name__}",
            expected="a model on the hub that may be read, and a network",
            run="check owner, name and revision; or download the folder and give its path with --model",
        ) from None
