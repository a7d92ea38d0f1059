"""What the tests of training and evaluation do to a study."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

import omicstore
from models.evaluate.run import evaluate
from models.train import train


def run_train(root: Path) -> dict[str, Any]:
    with omicstore.open(root / "data" / "store") as store:
        return train(root, store, say=lambda _: None)


def run_evaluate(root: Path) -> dict[str, Any]:
    with omicstore.open(root / "data" / "store") as store:
        return evaluate(root, store, say=lambda _: None)


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def edited(root: Path, section: str, **changes: Any) -> None:
    params = yaml.safe_load((root / "params.yaml").read_text())
    params[section] |= changes
    (root / "params.yaml").write_text(yaml.safe_dump(params))
