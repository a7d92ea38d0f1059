"""A study's folder: params.yaml, dvc.yaml and what `omicstore init` puts beside them."""

from __future__ import annotations

from omicstore.study.create import create_study

__all__ = ["create_study"]
