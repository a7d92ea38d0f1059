"""Presets of a model's settings, with some values replaced."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from omicstore.errors import UnknownNameError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _typeshed import DataclassInstance

__all__ = ["with_overrides"]

Config = TypeVar("Config", bound="DataclassInstance")


def with_overrides(
    model: str,
    presets: Mapping[str, Config],
    preset: str,
    overrides: Mapping[str, Any],
    *,
    where: str = "train.config",
) -> Config:
    """Return a preset with some of its values replaced.

    Parameters
    ----------
    model
        The model's name, for messages.
    presets
        Its presets by name.
    preset
        Which one.
    overrides
        What `where` of params.yaml says.
    where
        The place of the overrides, for messages.

    Raises
    ------
    UnknownNameError
        If there is no such preset or no such setting.
    UsageError
        If a value has another type than the preset's.
    """
    if preset not in presets:
        raise UnknownNameError(f"preset of {model}", preset, presets, run="set train.preset in params.yaml")
    config = presets[preset]
    known = {f.name for f in fields(config)}
    values: dict[str, Any] = {}
    for name, value in overrides.items():
        if name not in known:
            raise UnknownNameError(f"setting of {model}", name, known, run=f"set {where} in params.yaml")
        kind = type(getattr(config, name))
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not kind:
            raise UsageError(
                f"{where}.{name} is {value!r}", expected=f"a value of type {kind.__name__}", run="edit params.yaml"
            )
        values[name] = value
    return replace(config, **values)
