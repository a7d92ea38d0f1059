"""L11: the test part read again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omicstore.audit.finding import Finding, not_applicable, result
from omicstore.audit.leaks.log import breaks, log_path, of_this_test_part, own_weights, reads
from omicstore.audit.leaks.rows import leak
from omicstore.audit.reading import at

if TYPE_CHECKING:
    from omicstore.audit.bundle import Bundle
    from omicstore.audit.leaks.log import Read

_WHAT = "the test part read again and again"

#: So many readers of one test part are borne: the best of five equally good models is expected 1.2 standard errors over
#: their mean (the largest of five normal draws), and of 20 as many as 1.9, nearly the end of a 95% interval. Of the
#: weights of one model there may be one, since a second file is a second try.
HANDFUL = 5


@leak("L11", _WHAT)
def openings(bundle: Bundle) -> Finding:
    """Count who has read the test parts, by a log that is whole, and look for evaluations that are not in it."""
    path = log_path(bundle)
    if path is None:
        return not_applicable("L11", _WHAT, "the split that the model names is not there")
    lines = reads(bundle)
    broken = [f"{path}: {sentence}" for sentence in breaks(lines)]
    errors = broken + _unlogged(bundle, lines)
    warnings, counts = [], {}
    for fold in _folds(bundle, lines):
        own = of_this_test_part(bundle, fold)
        readers = _readers(own)
        counts[str(fold)] = {"lines": len(own), "readers": len(readers), "by": sorted(readers)[:HANDFUL]}
        warnings += _often(fold, own, readers)
    others = sum(1 for read in lines if read.body is not None and not _is_of(bundle, read))
    return result(
        "L11",
        _WHAT,
        errors + warnings,
        f"the chain of hashes in {path.name}; the readers of each test part, where the same weights count once and a "
        f"reader that does not name its weights each time: over {HANDFUL}, or two weights of one model, are too many",
        "error" if errors else "warning",
        reads_by_fold=counts,
        n_lines=len(lines),
        n_lines_without_hash=sum(1 for read in lines if read.body is not None and "previous" not in read.body),
        n_lines_of_other_splits=others,
    )


def _folds(bundle: Bundle, lines: list[Read]) -> list[int]:
    """Return the model's fold, or all that were read."""
    fold = at(bundle.sidecar, "split", "fold")
    if isinstance(fold, int):
        return [fold]
    found = {at(read.body, "fold") for read in lines if _is_of(bundle, read)}
    return sorted(f for f in found if isinstance(f, int))


def _is_of(bundle: Bundle, read: Read) -> bool:
    return at(read.body, "manifest_hash") in (at(bundle.manifest, "manifest_hash"), None)


def _readers(own: list[Read]) -> list[str]:
    """Return who opened: readers that name their weights once each, others as often as they read."""
    named = {read.reader for read in own if read.weights is not None}
    return [*named, *(read.reader for read in own if read.weights is None)]


def _often(fold: int, own: list[Read], readers: list[str]) -> list[str]:
    found = []
    by_model: dict[str, set[str]] = {}
    for read in own:
        if read.model is not None and read.weights is not None:
            by_model.setdefault(read.model, set()).add(read.weights)
    for model, weights in sorted(by_model.items()):
        if len(weights) > 1:
            found.append(f"the test part of fold {fold} was read for {len(weights)} weights of {model}")
    if len(readers) > HANDFUL:
        found.append(f"the test part of fold {fold} was read {len(readers)} times by different readers")
    return found


def _unlogged(bundle: Bundle, lines: list[Read]) -> list[str]:
    """Say that the reported evaluation is not in the log, or that the line it cites is another one."""
    told: dict[str, Any] = bundle.reported or {}
    split = at(told, "trained", "split")
    made = at(bundle.manifest, "manifest_hash")
    model, fold = at(told, "trained", "model"), at(split, "fold")
    if made is None or at(split, "manifest_hash") != made or not isinstance(fold, int):
        return []
    if bundle.sidecar is not None and model != at(bundle.sidecar, "model"):
        return []
    found = []
    own = of_this_test_part(bundle, fold)
    weights = own_weights(bundle)
    mine = [r for r in own if r.is_by(weights)] if bundle.sidecar is not None else [r for r in own if r.model == model]
    if not mine:
        by = f" with weights {weights[:12]}" if weights and bundle.sidecar is not None else ""
        found.append(
            f"reports/evaluation.json judges {model}{by} on the test part of fold {fold}, and no such read is logged"
        )
    line, digest = (at(told, "test", "opening", key) for key in ("line", "hash"))
    if isinstance(line, int) and not (0 < line <= len(lines) and lines[line - 1].hash == digest):
        found.append(f"reports/evaluation.json cites line {line} of the log by its hash, and there is no such line")
    return found
