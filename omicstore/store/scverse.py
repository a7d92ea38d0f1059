"""A cohort as the objects of scverse: AnnData and MuData.

What a reader of the file needs to take it into a store again stands in ``uns["omicstore"]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from omicstore.extras import extra
from omicstore.formats import ABOUT

if TYPE_CHECKING:
    import anndata
    import mudata
    import polars as pl

    from omicstore.store.cohort import Cohort

__all__ = ["origin", "to_anndata", "to_mudata"]


def to_anndata(cohort: Cohort, modality: str, *, values: bool = True) -> anndata.AnnData:
    """Return a matrix modality as an AnnData.

    Parameters
    ----------
    cohort
        What a query returned.
    modality
        One of its matrix modalities.
    values
        Whether to read the numbers; without them ``X`` is None.

    Returns
    -------
    anndata.AnnData
        obs are the samples that have the modality, with `Cohort.clinical`; var the features, named by feature_id.
        ``uns["omicstore"]`` says modality, unit, upstream_fit, release, dataset, and whether the data is simulated.
    """
    data = _bare(cohort, modality, values=values)
    clinical = cohort.clinical().filter(cohort.samples[f"has_{modality}"])
    data.obs = _indexed(_filled(clinical, "sample_id"), "sample_id")
    return data


def to_mudata(cohort: Cohort, *, values: bool = True) -> mudata.MuData:
    """Return all matrix modalities as a MuData; see `omicstore.store.cohort.Cohort.to_mudata`."""
    mu = extra("mudata")
    parts = {}
    for modality in cohort.matrices:
        part = _bare(cohort, modality, values=values)
        part.var_names = [f"{modality}:{name}" for name in part.var_names]
        parts[modality] = part
    with mu.set_options(pull_on_update=False):
        data: mudata.MuData = mu.MuData(parts)
    # The facts stand here once: mudata would copy those of a modality beside them whenever it reads the file.
    obs = _indexed(_filled(cohort.clinical(), "sample_id"), "sample_id").loc[data.obs_names]
    for name in obs.columns:
        data.obs[name] = obs[name]
    data.uns[ABOUT] = origin(cohort)
    return data


def _bare(cohort: Cohort, modality: str, *, values: bool) -> anndata.AnnData:
    """Return an AnnData whose samples have no columns."""
    ad, pandas = extra("anndata"), extra("pandas")
    have = cohort.samples[f"has_{modality}"]
    ids = cohort.samples["sample_id"].filter(have).to_list()
    features = cohort.features(modality)
    var = _indexed(_filled(features.with_columns(name="feature_id"), "feature_id", "name"), "name")
    data: anndata.AnnData = ad.AnnData(
        X=cohort.to_numpy(modality)[have.to_numpy()] if values else None,
        obs=pandas.DataFrame(index=pandas.Index(ids, name="sample_id", dtype=object)),
        var=var,
    )
    data.uns[ABOUT] = origin(cohort) | cohort.facts(modality)
    return data


def origin(cohort: Cohort) -> dict[str, Any]:
    """Return where the numbers come from: release, dataset, cohorts, whether simulated, and whether of a split."""
    store = cohort.store
    return {
        "release": store.release,
        "dataset": store.dataset,
        "cohorts": ",".join(cohort.question.cohorts),
        "simulated": store.simulated,
        "reads": cohort.marked,
    }


def _filled(frame: pl.DataFrame, *keys: str) -> pl.DataFrame:
    return frame.select(c.name for c in frame if c.name in keys or c.null_count() < len(c))


def _indexed(frame: pl.DataFrame, index: str) -> Any:
    pandas = extra("pandas")
    columns = {name: frame[name].to_list() for name in frame.columns if name != index}
    return pandas.DataFrame(columns, index=pandas.Index(frame[index].to_list(), name=index, dtype=object))
