"""``omicstore lineage``: the chain from source files to a number.

With --json one object: kind, name, facts, broken (a sentence or null) and parents, which are such objects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from omicstore.cli.common import Output, StoreOption, StudyMissingError, command, find_store, find_study

if TYPE_CHECKING:
    from pathlib import Path

    from rich.text import Text
    from rich.tree import Tree

    from omicstore.lineage import Node


@command(warns=True)
def lineage(
    out: Output,
    *,
    target: Annotated[
        str, typer.Argument(metavar="METRIC|CHECKPOINT|TABLE", help="A metric, model, split, table, matrix or export.")
    ],
    store: StoreOption = None,
) -> None:
    r"""Show the chain from source files to a number.

    Each link is named with its hash and what it was made from; where the chain is broken, it says how. The contents of
    the links are derived again by omicstore audit.

    \b
    Examples:
      omicstore lineage survival.OS.embedding.c    a metric of reports/metrics.json
      omicstore lineage aro                        a trained model; or its folder
      omicstore lineage BRCA/rna                   a matrix; also outcomes, rna, BRCA, v1.0
      omicstore lineage brca_export                the folder of an export
    """
    import omicstore
    from omicstore.lineage import lineage as follow

    with omicstore.open(find_store(store)) as opened:
        chain = follow(target, opened, _study(store))
    out.result(chain.to_json(), lambda: out.print(_tree(chain)))
    for node in chain.walk():
        if node.broken:
            out.warn(f"{node.kind} {node.name}: {node.broken}")


def _study(store: str | None) -> Path | None:
    """Return the study that a store lies in, or the one here or above."""
    from pathlib import Path

    if store is not None and "://" not in store:
        above = Path(store).absolute().parent.parent
        return above if (above / "params.yaml").is_file() else None
    try:
        return find_study()
    except StudyMissingError:
        return None


def _tree(node: Node) -> Tree:
    from rich.tree import Tree

    top = Tree(_line(node), guide_style="dim")
    _grow(top, node)
    return top


def _grow(tree: Tree, node: Node) -> None:
    for parent in node.parents:
        _grow(tree.add(_line(parent)), parent)


def _line(node: Node) -> Text:
    from rich.text import Text

    line = Text().append(node.kind, style="dim")
    line.append(f" {node.name}", style="red" if node.broken else "bold")
    if node.says:
        line.append(f"  {', '.join(node.says)}")
    if node.broken:
        line.append("  broken", style="red")
    return line
