"""The labels of the rows that a model is judged on, and which of them can be judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from models.batch import MultiOmicsBatch
    from omicstore.store.reader import Store

__all__ = ["Labelled", "label_tasks", "labels_of"]


def label_tasks(store: Store) -> list[str]:
    """Return the tasks of the store's labels table, sorted."""
    return sorted(store.table("labels")["task"].drop_nulls().unique().to_list())


def labels_of(store: Store, batch: MultiOmicsBatch, task: str) -> NDArray[np.str_]:
    """Return the label of each row, the sample's own before the patient's; empty where there is none."""
    own = store.table("labels").filter(pl.col("task") == task)
    rows = pl.DataFrame({"sample_id": batch.sample_id, "patient_id": batch.patient_id})
    by_sample = own.drop_nulls("sample_id").unique("sample_id", keep="first", maintain_order=True)
    by_patient = own.filter(pl.col("sample_id").is_null()).unique("patient_id", keep="first", maintain_order=True)
    for key, found_by in (("sample_id", by_sample), ("patient_id", by_patient)):
        named = found_by.select(key, pl.col("label").alias(f"by_{key}"))
        rows = rows.join(named, on=key, how="left", maintain_order="left")
    found = rows.select(pl.coalesce("by_sample_id", "by_patient_id").fill_null(""))
    return np.asarray(found.to_series().to_list(), dtype=np.str_)


@dataclass(frozen=True, slots=True)
class Labelled:
    """The labels of one task over the parts of a fold.

    Attributes
    ----------
    task
        Its name in the labels table.
    names
        Per part (n,) the label of each row, empty where there is none.
    classes
        The labels of the training rows, sorted.
    """

    task: str
    names: Mapping[str, NDArray[np.str_]]
    classes: tuple[str, ...]

    @classmethod
    def of(cls, task: str, names: Mapping[str, NDArray[np.str_]]) -> Labelled:
        """Take the labels of ``train``, ``val`` and ``test``; what the training rows have are the classes."""
        return cls(task, names, tuple(sorted(set(names["train"].tolist()) - {""})))

    def index(self, part: str) -> NDArray[np.int64]:
        """Return (n,) the place of each row's label among the classes; -1 where it has none of them."""
        where = {name: i for i, name in enumerate(self.classes)}
        return np.array([where.get(name, -1) for name in self.names[part].tolist()], dtype=np.int64)

    def counts(self, part: str) -> dict[str, int]:
        """Return how many rows have each class."""
        found = self.index(part)
        return {name: int((found == i).sum()) for i, name in enumerate(self.classes)}

    def notes(self) -> list[str]:
        """Return, as sentences, which classes cannot be judged."""
        test = self.names["test"]
        said = [
            f"{int((test == name).sum())} test samples of class {name} are left out: no training sample is of it"
            for name in sorted(set(test.tolist()) - {"", *self.classes})
        ]
        absent = [name for name, n in self.counts("test").items() if not n]
        if absent:
            said.append(f"no test sample is of class {', '.join(absent)}")
        if unlabelled := int((test == "").sum()):
            said.append(f"{unlabelled} test samples have no {self.task}")
        return said
