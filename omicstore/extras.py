"""Packages that only some users have."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from omicstore.errors import MissingExtraError

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["extra"]


def extra(package: str, group: str = "scverse") -> ModuleType:
    """Import a package.

    Raises
    ------
    MissingExtraError
        If it is not installed; says which extra of omicstore brings it.
    """
    try:
        return import_module(package)
    except ImportError:
        raise MissingExtraError(package, group) from None
