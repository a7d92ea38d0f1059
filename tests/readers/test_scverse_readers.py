"""AnnData and MuData files, our own and those of others: dense, sparse, layers, raw, old and broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.sparse as sp

from omicstore.errors import SourceError, StudyError
from omicstore.readers import expand, profile_ids, read
from omicstore.readers.h5ad import recognise as is_h5ad
from omicstore.readers.h5mu import recognise as is_h5mu
from omicstore.readers.recognise import look
from omicstore.sources import Source

anndata = pytest.importorskip("anndata")
mudata = pytest.importorskip("mudata")
pandas = pytest.importorskip("pandas")

#: Genes are in several modalities of the files that people have.
pytestmark = pytest.mark.filterwarnings("ignore:var_names are not unique")

IDS = ["TCGA-4Z-0001-01A", "TCGA-4Z-0002-01A", "TCGA-4Z-0003-01A"]
GENES = ["TP53", "EGFR", "KRAS", "MYC"]
VALUES = np.array([[1, 0, np.nan, 4], [0, 0, 2, 0], [0, 3, 0, 0.5]], np.float32)


def make(values: Any = VALUES, ids: list[str] = IDS, genes: list[str] = GENES, **more: Any) -> Any:
    obs = pandas.DataFrame({"stage": pandas.Categorical(["I", None, "II"])}, index=IDS).reindex(ids)
    var = pandas.DataFrame({"chromosome": [f"chr{i}" for i in range(len(genes))]}, index=genes)
    return anndata.AnnData(X=values, obs=obs, var=var, **more)


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Source]:
    """Write an AnnData or MuData and return a source of it."""

    def write(data: Any, **more: object) -> Source:
        form = "h5mu" if isinstance(data, mudata.MuData) else "h5ad"
        path = tmp_path / f"x.{form}"
        if form == "h5mu":
            with mudata.set_options(pull_on_update=False):
                mudata.write_h5mu(path, data)
        else:
            data.write_h5ad(path)
        return Source(path, form, cohort="XX", **more)  # type: ignore[arg-type]

    return write


def join(**parts: Any) -> Any:
    with mudata.set_options(pull_on_update=False):
        return mudata.MuData(parts)


class TestMatrix:
    @pytest.mark.parametrize("form", [np.asarray, sp.csr_matrix, sp.csc_matrix, sp.csr_array])
    def test_dense_and_sparse(self, put: Callable[..., Source], form: Callable[[Any], Any]) -> None:
        source = put(make(form(VALUES)), modality="rna", unit="tpm")
        (raw,) = read(source)
        assert (raw.ids, raw.features) == (IDS, GENES)
        np.testing.assert_array_equal(raw.values, VALUES)
        assert raw.values.dtype == np.float32
        assert profile_ids(source) == IDS
        (some,) = read(put(make(form(VALUES)), modality="rna", unit="tpm", select=("KRAS", "TP53")))
        assert some.features == ["TP53", "KRAS"]
        np.testing.assert_array_equal(some.values, VALUES[:, [0, 2]])
        assert some.feature_info["chromosome"].to_list() == ["chr0", "chr2"]

    def test_in_many_blocks(self, put: Callable[..., Source], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("omicstore.readers.anndata_matrix._BLOCK_BYTES", 16)
        for form in (np.asarray, sp.csr_matrix, sp.csc_matrix):
            (raw,) = read(put(make(form(VALUES)), modality="rna", unit="tpm"))
            np.testing.assert_array_equal(raw.values, VALUES)

    def test_what_is_known_of_samples_and_features(self, put: Callable[..., Source]) -> None:
        (raw,) = read(put(make(), modality="rna", unit="tpm"))
        assert raw.profile_info.rows() == [(IDS[0], "I"), (IDS[1], None), (IDS[2], "II")]
        assert raw.feature_info.rows()[1] == ("EGFR", "chr1")

    def test_a_layer_and_raw(self, put: Callable[..., Source]) -> None:
        data = make(layers={"counts": sp.csr_matrix(VALUES * 10)})
        data.raw = make(VALUES[:, :2] + 1, genes=GENES[:2])
        source = put(data, modality="rna", unit="counts", part="counts")
        assert [p.part for p in expand(source)] == ["counts"]
        np.testing.assert_array_equal(read(source)[0].values, VALUES * 10)
        (raw,) = read(put(data, modality="rna", unit="counts", part="raw"))
        assert raw.features == GENES[:2]
        np.testing.assert_array_equal(raw.values, VALUES[:, :2] + 1)
        with pytest.raises(SourceError, match=r"there is no layer 'count'\. Expected one of counts.*part:"):
            expand(put(data, modality="rna", part="count"))

    def test_a_number_that_stands_for_missing(self, put: Callable[..., Source]) -> None:
        (raw,) = read(put(make(), modality="rna", unit="tpm", missing=("0",)))
        np.testing.assert_array_equal(raw.values, np.where(VALUES == 0, np.nan, VALUES))
        assert raw.warnings == ["6 cells hold 0 and were read as missing"]

    def test_whole_numbers_and_truth(self, put: Callable[..., Source]) -> None:
        for dtype in (np.int64, bool, np.float64, np.uint8):
            values = np.nan_to_num(VALUES).astype(dtype)
            np.testing.assert_array_equal(read(put(make(values), modality="rna", unit="counts"))[0].values, values)


class TestModalityAndUnit:
    def test_of_the_study_file(self, put: Callable[..., Source]) -> None:
        (part,) = expand(put(make(), modality="rna", unit="tpm"))
        assert (part.modality, part.unit) == ("rna", "tpm")

    def test_neither_told(self, put: Callable[..., Source]) -> None:
        with pytest.raises(StudyError, match=r"x\.h5ad does not say what it measures\..*add modality: rna, "):
            expand(put(make(), unit="tpm"))
        with pytest.raises(StudyError, match=r"x\.h5ad does not say in which unit rna is\..*add unit: tpm"):
            expand(put(make(), modality="rna"))

    def test_of_our_own_export(self, put: Callable[..., Source]) -> None:
        data = make(
            uns={"omicstore": {"modality": "rna", "unit": "log2(tpm+1)", "upstream_fit": "none", "simulated": True}}
        )
        (part,) = expand(put(data))
        assert (part.modality, part.unit, part.upstream_fit) == ("rna", "log2(tpm+1)", "none")
        assert read(part)[0].warnings == ["the file was exported from a store of simulated data"]
        (other,) = expand(put(data, unit="fpkm"))
        assert other.unit == "fpkm"
        with pytest.raises(StudyError, match="does not say in which unit"):
            expand(put(make(uns=data.uns, layers={"z": VALUES}), part="z"))

    def test_parts_of_a_mudata(self, put: Callable[..., Source]) -> None:
        data = join(rna=make(uns={"omicstore": {"modality": "rna", "unit": "tpm"}}), rppa=make())
        with pytest.raises(StudyError, match=r"x\.h5mu, part rppa does not say in which unit prot is"):
            expand(put(data))
        (part,) = expand(put(data, modality="prot", unit="log2_ratio"))
        assert (part.part, part.modality, part.unit) == ("rppa", "prot", "log2_ratio")
        assert read(part)[0].ids == IDS
        assert profile_ids(part) == IDS
        with pytest.raises(StudyError, match=r"has the parts rna, rppa, and unit: tpm does not say of which"):
            expand(put(data, unit="tpm"))
        with pytest.raises(SourceError, match=r"there is no modality 'atac' in it\. Expected one of rna, rppa"):
            expand(put(data, part="atac", modality="rna", unit="tpm"))
        with pytest.raises(StudyError, match="holds nothing of modality meth"):
            expand(put(data, modality="meth", unit="beta"))

    def test_a_key_that_is_no_name_of_ours(self, put: Callable[..., Source]) -> None:
        data = join(panel1=make(), panel2=make())
        with pytest.raises(StudyError, match=r"x\.h5mu, part panel1 does not say what it measures"):
            expand(put(data))
        (part,) = expand(put(data, part="panel2", modality="prot", unit="zscore"))
        assert (part.part, part.modality) == ("panel2", "prot")
        (only,) = expand(put(join(panel1=make()), modality="prot", unit="zscore"))
        assert only.part == "panel1"

    def test_a_layer_of_a_part(self, put: Callable[..., Source]) -> None:
        data = join(rna=make(layers={"counts": VALUES * 2}))
        (part,) = expand(put(data, part="rna/counts", unit="counts"))
        assert part.modality == "rna"
        np.testing.assert_array_equal(read(part)[0].values, VALUES * 2)

    def test_samples_of_the_whole_are_described_in_its_obs(self, put: Callable[..., Source]) -> None:
        data = join(rna=make(VALUES[:2], IDS[:2]), prot=make())
        data.obs["site"] = ["a", "b", "c"]
        (part,) = expand(put(data, modality="rna", unit="tpm"))
        (raw,) = read(part)
        assert raw.profile_info.select("raw_id", "site", "stage").rows() == [(IDS[0], "a", "I"), (IDS[1], "b", None)]


class TestRecognise:
    def test_each_its_own(self, put: Callable[..., Source], bad: Path) -> None:
        one, several = (
            put(make(uns={"omicstore": {"modality": "rna", "unit": "tpm"}})),
            put(join(rna=make(), odd=make())),
        )
        guess = is_h5ad(look(one.path))
        assert (guess.format, guess.modality, guess.unit) == ("h5ad", "rna", "tpm")
        assert is_h5mu(look(one.path)) is None
        assert is_h5ad(look(several.path)) is None
        notes = is_h5mu(look(several.path)).notes
        assert notes[0].startswith("odd: what it measures is not told: add part: and modality:")
        assert notes[1] == "rna: rna, in a unit that is not told: add part: and unit:"
        slide = look(bad / "TCGA-XX-A001-01Z-00-DX1.h5")
        assert is_h5ad(slide) is None
        assert is_h5mu(slide) is None


class TestBad:
    def test_truncated(self, put: Callable[..., Source]) -> None:
        for data in (make(), join(rna=make())):
            source = put(data, modality="rna", unit="tpm", part="rna" if isinstance(data, mudata.MuData) else None)
            whole = source.path.read_bytes()
            for n in (0, 100, 1000, len(whole) // 2):
                source.path.write_bytes(whole[:n])
                with pytest.raises(
                    SourceError, match=r"this is no whole HDF5 file \(.*make or download the file again"
                ):
                    read(source)

    def test_another_kind_of_hdf5(self, bad: Path, put: Callable[..., Source]) -> None:
        slide = Source(bad / "TCGA-XX-A001-01Z-00-DX1.h5", "h5ad", modality="rna", unit="tpm", cohort="XX")
        with pytest.raises(SourceError, match=r"this is no (whole HDF5|anndata) file"):
            read(slide)
        swapped = put(join(rna=make()), modality="rna", unit="tpm")
        with pytest.raises(SourceError, match="this is no anndata file: it is 'MuData'"):
            read(Source(swapped.path, "h5ad", modality="rna", unit="tpm", cohort="XX"))

    def test_text_in_place_of_numbers(self, put: Callable[..., Source]) -> None:
        source = put(make(), modality="rna", unit="tpm")
        with h5py.File(source.path, "r+") as file:
            del file["X"]
            file["X"] = np.array([["a"] * 4] * 3, dtype=object).astype(h5py.string_dtype())
        with pytest.raises(
            SourceError, match=r"its matrix has the shape \(3, 4\) and the type object\. Expected 3 x 4 numbers"
        ):
            read(source)

    def test_the_wrong_shape(self, put: Callable[..., Source]) -> None:
        source = put(make(), modality="rna", unit="tpm")
        with h5py.File(source.path, "r+") as file:
            del file["X"]
            file["X"] = np.zeros((2, 4), np.float32)
        with pytest.raises(SourceError, match=r"has the shape \(2, 4\) .*Expected 3 x 4 numbers, as obs and var say"):
            read(source)

    def test_no_x(self, put: Callable[..., Source]) -> None:
        source = put(make(None, layers={"counts": VALUES}), modality="rna", unit="tpm")
        with pytest.raises(SourceError, match=r"there is no X\. Expected one of counts\. To mend it: add part:"):
            read(source)

    @pytest.mark.filterwarnings("ignore:Variable names are not unique")
    def test_a_feature_twice(self, put: Callable[..., Source]) -> None:
        source = put(make(genes=["TP53", "EGFR", "TP53", "MYC"]), modality="rna", unit="tpm")
        with pytest.raises(SourceError, match="the feature 'TP53' comes 2 times in var"):
            read(source)

    def test_nothing_measured(self, put: Callable[..., Source]) -> None:
        with pytest.raises(SourceError, match="no cell holds a number"):
            read(put(make(VALUES * np.nan), modality="rna", unit="tpm"))

    def test_a_file_of_long_ago(self, put: Callable[..., Source]) -> None:
        source = put(make(), modality="rna", unit="tpm")
        with h5py.File(source.path, "r+") as file:
            for name in list(file.attrs):
                del file.attrs[name]
            del file["obs"]
            file["obs"] = np.array([(i.encode(),) for i in IDS], dtype=[("index", "S20")])
        with pytest.raises(SourceError, match=r"obs is not a table as anndata has written it since version 0\.7"):
            read(source)
