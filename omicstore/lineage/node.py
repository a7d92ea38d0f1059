"""A link of the chain from source files to a number."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Node"]


@dataclass(frozen=True, slots=True)
class Node:
    """What something is, and what it was made from.

    Attributes
    ----------
    kind
        metric, evaluation, model, state, split, export, release, matrix, table or source.
    name
        What to call it.
    says
        What is to be known of it, in a few words each.
    facts
        Its hashes, counts and paths, as JSON holds them.
    broken
        Where the chain breaks here: a sentence; empty where it holds as far as hashes tell.
    parents
        What it was made from.
    """

    kind: str
    name: str
    says: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    broken: str = ""
    parents: tuple[Node, ...] = ()

    def walk(self) -> Iterator[Node]:
        """Yield this link and all behind it."""
        yield self
        for parent in self.parents:
            yield from parent.walk()

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON types, parents within."""
        return {
            "kind": self.kind,
            "name": self.name,
            "facts": self.facts,
            "broken": self.broken or None,
            "parents": [parent.to_json() for parent in self.parents],
        }
