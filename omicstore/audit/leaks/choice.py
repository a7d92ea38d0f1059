"""L5: the epoch, or the model, chosen on the part that is reported."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from omicstore.audit.finding import Finding, not_applicable, result
from omicstore.audit.leaks.log import of_this_test_part, own_weights
from omicstore.audit.leaks.rows import leak
from omicstore.audit.reading import at

if TYPE_CHECKING:
    from omicstore.audit.bundle import Bundle

_WHAT = "the epoch or the model chosen on the reported part"

#: Losses are written with six decimals, so that two equal to that may be either's.
_ROUNDING = 1.5e-6


@leak("L5", _WHAT)
def choice(bundle: Bundle) -> Finding:
    """Look again for the best epoch in the history, and in the log for earlier reads of the test part."""
    if bundle.checkpoint is None:
        return not_applicable("L5", _WHAT, "a split chooses nothing")
    selection = at(bundle.sidecar, "selection")
    if not isinstance(selection, dict):
        return not_applicable("L5", _WHAT, "sidecar.json does not say how the model was selected")
    part, epoch = selection.get("part"), selection.get("epoch")
    errors = [] if part == "val" else [f"the model was chosen on the {part} part, by its own sidecar"]
    path = bundle.checkpoint / "history.json"
    if path.is_file() and not bundle.history:
        errors.append(f"{path} cannot be read as a list of epochs")
    history = [row for row in bundle.history if isinstance(row, dict)]
    errors += _test_losses(history)
    found, stopped = _chosen(history, selection)
    errors += found
    stopped += _early(history, epoch, at(bundle.sidecar, "config"))
    tried = _tried(bundle)
    return result(
        "L5",
        _WHAT,
        errors + stopped + tried,
        "the epoch with the lowest val loss by history.json against the one in the sidecar; whether the history holds "
        "anything of the test part, or ends before patience or epochs ran out; and whether the log has reads of this "
        "test part for other weights of the model before its own",
        "error" if errors else "warning",
        part=part,
        epoch=epoch,
        n_epochs=len(history),
        history=path.is_file(),
    )


def _test_losses(history: list[dict[str, Any]]) -> list[str]:
    keys = sorted({str(key) for row in history for key in row if "test" in str(key).lower()})
    return [f"history.json has {key} of every epoch, so that the test part was read while training" for key in keys]


def _chosen(history: list[dict[str, Any]], selection: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Say where the sidecar's epoch is not the best by val; and where that cannot be told."""
    metric, epoch = selection.get("metric", "loss"), selection.get("epoch")
    if not history or epoch is None:
        return [], []
    keys = ("val",) if metric == "loss" else (f"val/{metric}", f"val_{metric}", f"{metric}")
    key = next((k for k in keys if all(_number(row.get(k)) for row in history)), None)
    if key is None:
        return [], [f"history.json has no val {metric} of every epoch, by which the model is said to be chosen"]
    values = {row.get("epoch"): float(row[key]) for row in history}
    if epoch not in values:
        return [f"the sidecar chose epoch {epoch}, which history.json does not have"], []
    # A loss is best where it is lowest; what another metric is best at is not known, so either end will do.
    ends = [min(values.values())] if metric == "loss" else [min(values.values()), max(values.values())]
    found = []
    if all(abs(values[epoch] - end) > _ROUNDING for end in ends):
        best = min(values, key=lambda e: values[e])
        found.append(
            f"epoch {epoch} was chosen, whose val {metric} is {values[epoch]:.6g}, though that of epoch {best} is "
            f"{ends[0]:.6g}"
        )
    said = selection.get("value")
    if said is not None and (not _number(said) or abs(said - values[epoch]) > _ROUNDING):
        found.append(
            f"the sidecar says that the val {metric} of epoch {epoch} is {said}, history.json {values[epoch]:.6g}"
        )
    return found, []


def _early(history: list[dict[str, Any]], epoch: object, config: object) -> list[str]:
    """Say that training ended before patience or epochs ran out: then something else ended it.

    With patience p, training ends p epochs after the best one, or after the last that is allowed.
    """
    last = history[-1].get("epoch") if history else None
    numbers = [n for n in (at(config, "patience"), at(config, "max_epochs"), epoch, last) if isinstance(n, int)]
    if len(numbers) < 4:
        return []
    patience, most, best, end = numbers
    if end + 1 >= most or end - best >= patience:
        return []
    why = f"the patience is {patience} and {most} epochs were allowed: something other than the val loss ended it"
    return [f"history.json ends {end - best} epochs after the best, where {why}"]


def _tried(bundle: Bundle) -> list[str]:
    """Say for which other weights of this model the test part was read before it was for these."""
    fold, model, weights = at(bundle.sidecar, "split", "fold"), at(bundle.sidecar, "model"), own_weights(bundle)
    if bundle.split is None or not isinstance(fold, int) or weights is None:
        return []
    others: list[str] = []
    for read in of_this_test_part(bundle, fold):
        if read.is_by(weights):
            break
        if read.model == model and read.weights is not None and read.weights not in others:
            others.append(read.weights)
    if not others:
        return []
    shown = ", ".join(others[:3]) + (" ..." if len(others) > 3 else "")
    return [
        f"the test part of fold {fold} was read for other weights of {model} before ({shown}): these may be a choice"
    ]


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
