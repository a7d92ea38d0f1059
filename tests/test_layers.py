"""The rooms of omicstore stand in a row: each knows only those to its left, and none is heavy to enter."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1] / "omicstore"

#: From left to right; ``omicstore`` is the front door, `omicstore/__init__.py`.
ROOMS = (
    "errors", "extras", "paths", "files", "identifiers", "audit", "units", "modalities", "formats", "progress", "diskmatrix", "sources",
    "schema", "slides", "text", "readers", "harmonize", "store", "omicstore", "export", "build", "releases", "remote", "splits", "lineage", "simulate",
    "fetch", "recognise", "explain", "study", "cli",
)  # fmt: skip

#: What few users have, or what takes long to import: brought in by the function that needs it.
LATE = {
    "torch", "transformers", "sentence_transformers", "httpx", "pandas", "anndata", "mudata", "matplotlib", "sklearn",
    "skimage", "tiffslide", "PIL", "dvc", "fsspec", "s3fs", "great_expectations", "lightning",
}  # fmt: skip

MODULES = sorted(HOUSE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(HOUSE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """Return the room of a dotted name: the word after ``omicstore``, if that is a file or folder."""
    first = module.split(".")[1] if "." in module else "omicstore"
    return first if (HOUSE / first).is_dir() or (HOUSE / f"{first}.py").is_file() else "omicstore"


def imports(nodes: Iterator[ast.AST]) -> Iterator[tuple[int, str]]:
    """Yield the line and the dotted name of each thing that is imported."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: the house imports by whole names"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def run_at_import(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what runs when the module is imported: not the bodies of functions, nor what is there for types alone."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            yield from (inner for other in child.orelse for inner in (other, *run_at_import(other)))
            continue
        yield child
        yield from run_at_import(child)


@pytest.fixture(scope="module")
def trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}


def test_every_room_has_its_place() -> None:
    assert {room_of(name_of(path)) for path in MODULES} == set(ROOMS)


def test_a_room_knows_only_those_left_of_it(trees: dict[Path, ast.Module]) -> None:
    wrong = []
    for path, tree in trees.items():
        own = ROOMS.index(room_of(name_of(path)))
        for line, name in imports(ast.walk(tree)):
            if name.split(".")[0] == "omicstore" and ROOMS.index(room_of(name)) > own:
                wrong.append(f"{path.relative_to(HOUSE.parent)}:{line} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_the_verifier_shares_nothing_with_what_it_verifies(trees: dict[Path, ast.Module]) -> None:
    wrong = [
        f"{path.relative_to(HOUSE.parent)}:{line} imports {name}"
        for path, tree in trees.items()
        if room_of(name_of(path)) == "audit"
        for line, name in imports(ast.walk(tree))
        if name.split(".")[0] == "omicstore" and room_of(name) not in ("audit", "errors", "identifiers")
    ]
    assert not wrong, "\n".join(wrong)


def test_the_house_knows_neither_models_nor_validation(trees: dict[Path, ast.Module]) -> None:
    wrong = [
        f"{path.relative_to(HOUSE.parent)}:{line} imports {name}"
        for path, tree in trees.items()
        for line, name in imports(ast.walk(tree))
        if name.split(".")[0] in ("models", "validation", "tests", "benchmarks")
    ]
    assert not wrong, "\n".join(wrong)


def test_heavy_packages_come_late(trees: dict[Path, ast.Module]) -> None:
    wrong = [
        f"{path.relative_to(HOUSE.parent)}:{line} imports {name}"
        for path, tree in trees.items()
        for line, name in imports(run_at_import(tree))
        if name.split(".")[0] in LATE
    ]
    assert not wrong, "\n".join(wrong)


def test_importing_every_module_loads_nothing_heavy() -> None:
    code = (
        f"import importlib, sys\nfor name in {[name_of(p) for p in MODULES]!r}: importlib.import_module(name)\n"
        f"print(sorted({LATE!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import torch", ["torch"]),
        ("try:\n    import torch\nexcept ImportError:\n    torch = None", ["torch"]),
        ("class A:\n    from pandas import DataFrame", ["pandas.DataFrame"]),
        ("def f():\n    import torch", []),
        ("if TYPE_CHECKING:\n    import torch\nelse:\n    import PIL.Image", ["PIL.Image"]),
    ],
)
def test_what_runs_at_import_is_told_from_what_waits(source: str, found: list[str]) -> None:
    assert [name for _, name in imports(run_at_import(ast.parse(source)))] == found
