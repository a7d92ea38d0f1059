"""safetensors: a file per modality, for whoever loads tensors."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import numpy as np

from omicstore.export.csv import write_table
from omicstore.export.matrices import blocks, matrices_of, measured
from omicstore.extras import extra
from omicstore.formats import ABOUT
from omicstore.store.scverse import origin

if TYPE_CHECKING:
    from pathlib import Path

    from omicstore.store.cohort import Cohort

__all__ = ["write"]


def write(cohort: Cohort, folder: Path) -> list[str]:
    """Write ``<modality>.safetensors``, ``features/<modality>.csv`` and ``samples.csv``.

    A file has the tensor ``<modality>/values`` (float32, samples that were measured by features, NaN where missing).
    The format has no text: the ids of the rows and columns stand in its metadata, as the lists ``sample_ids`` and
    ``feature_ids`` of the JSON object ``omicstore``, with the unit and the release. There is a file per modality
    because the writer wants all tensors of a file in memory.
    """
    modalities, left_out = matrices_of(cohort, "safetensors")
    save_file = extra("safetensors.numpy", "models").save_file
    write_table(cohort.samples, folder / "samples.csv")
    (folder / "features").mkdir()
    for modality in modalities:
        ids, features = measured(cohort, modality), cohort.features(modality)
        write_table(features, folder / "features" / f"{modality}.csv")
        values = np.empty((len(ids), features.height), np.float32)
        for rows, block in blocks(cohort, modality):
            values[rows] = block
        columns = features["feature_id"].to_list()
        facts = origin(cohort) | cohort.facts(modality) | {"sample_ids": ids, "feature_ids": columns}
        # One key: the writer puts several in an order that differs from run to run.
        about = {ABOUT: json.dumps(facts, sort_keys=True, ensure_ascii=False)}
        try:
            save_file({f"{modality}/values": values}, folder / f"{modality}.safetensors", about)
        except extra("safetensors", "models").SafetensorError as error:
            raise _of_system(error) from None
    return left_out


def _of_system(error: Exception) -> Exception:
    """Return the system's error that the library tells of in words alone: a full disk has a message of its own."""
    told = re.search(r"os error (\d+)", str(error))
    return error if told is None else OSError(int(told[1]), os.strerror(int(told[1])))
