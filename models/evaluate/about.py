"""What an evaluation says of the model that it judged, and of the rows."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from models.checkpoint import environment
from omicstore.store.splitfile import row_hash

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from models.settings import EvaluateSettings
    from omicstore.store.openings import Opening

__all__ = ["FORMAT", "about"]

FORMAT = "omicstore.evaluation/1"

#: What is repeated of the model's sidecar.
_KEPT = (
    "model", "preset", "modalities", "cohorts", "release", "simulated", "split", "seed", "n_parameters", "n_train",
    "n_val", "selection", "sidecar_hash",
)  # fmt: skip

#: What decides the numbers besides what training uses, by module.
_DECIDE = {"lifelines": "lifelines", "polars": "polars", "sklearn": "scikit-learn"}
_DECIDE_TOO = {"sksurv": "scikit-survival", "leidenalg": "leidenalg"}


def about(
    sidecar: Mapping[str, Any],
    settings: EvaluateSettings,
    *,
    transform: str,
    sample_ids: Sequence[str],
    opening: Opening,
) -> dict[str, Any]:
    """Return what evaluation.json says besides its tables.

    Parameters
    ----------
    sidecar
        The model's.
    settings
        Resamples and seed.
    transform
        Name of the transform that its inputs go through.
    sample_ids
        Of the test rows.
    opening
        Where the log has the read of them.
    """
    present = [name for module, name in _DECIDE_TOO.items() if find_spec(module)]
    return {
        "format": FORMAT,
        "part": "test",
        "n_test": len(sample_ids),
        "trained": {name: sidecar[name] for name in _KEPT},
        "transform": transform,
        "bootstrap": {
            "resamples": settings.bootstrap,
            "unit": "patient",
            "interval": "95% percentile",
            "seed": settings.seed,
        },
        "environment": environment(*_DECIDE.values(), *present),
        "test": {
            "part": "test",
            "manifest_hash": sidecar["split"]["manifest_hash"],
            "fold": sidecar["split"]["fold"],
            "n_samples": len(sample_ids),
            "row_hash": row_hash(sample_ids),
            "opening": opening.to_json(),
        },
    }
