"""A slide never sits in memory whole."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from omicstore.errors import StoreError
from omicstore.store import patchfile
from omicstore.store.catalog import PATCHES
from omicstore.store.hashing import table_hash
from omicstore.store.patchfile import write_slides


def patches(n: int, *, start: int = 0, slide: str = "S1", width: int = 3, **more: object) -> pl.DataFrame:
    rng = np.random.default_rng(start)
    return pl.DataFrame(
        {
            "slide_id": slide, "sample_id": "P1-01", "patch": np.arange(start, start + n), "x": 0, "y": 0,
            "magnification": 20.0, "encoder": "uni", "features": rng.normal(size=(n, width)).astype(np.float32), **more,
        },
        schema_overrides={"features": pl.Array(pl.Float32, width)},
    )  # fmt: skip


@pytest.mark.parametrize("tiles", [False, True])
def test_where_frames_end_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiles: bool) -> None:
    monkeypatch.setattr(patchfile, "ROWS_PER_GROUP", 4)
    whole = patches(11)
    if tiles:
        whole = whole.with_columns(tile=pl.Series([bytes([i]) * i for i in range(11)]))
    files = set()
    for cuts in ((11,), (4, 4, 3), (1, 9, 1), (5, 6)):
        frames = [whole[sum(cuts[:i]) : sum(cuts[: i + 1])] for i in range(len(cuts))]
        (written,) = write_slides(frames, tmp_path / str(cuts), "AAA")
        assert (written.rows, written.width, written.name) == (11, 3, "S1.uni.parquet")
        assert written.hash == table_hash(whole, PATCHES.of(whole))
        files.add((tmp_path / str(cuts) / written.name).read_bytes())
        assert pl.read_parquet(tmp_path / str(cuts) / written.name).equals(PATCHES.of(whole).conform(whole))
    assert len(files) == 1


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        ([patches(3), patches(3)], "came twice"),
        ([patches(3), patches(3, slide="S2"), patches(3, start=3)], "came twice"),
        ([pl.concat([patches(3), patches(3, slide="S2")])], "does not hold one slide"),
        ([patches(3), patches(3, start=3, width=4)], "changes its columns or the length of its vectors"),
        ([patches(3, features=np.full((3, 3), np.nan, np.float32))], "features of patch 0 are not finite"),
        ([patches(3, features=pl.Series([[1.0, 2.0, 3.0], None, [1.0, 2.0, 3.0]], dtype=pl.Array(pl.Float32, 3)))], "a patch has no features"),
        ([patches(3).with_columns(features=pl.lit(1.0))], "features are Float64"),
        ([patches(3)[:0]], "does not hold one slide"),
    ],
)  # fmt: skip
def test_what_is_refused(tmp_path: Path, frames: list[pl.DataFrame], said: str) -> None:
    with pytest.raises(StoreError, match=said):
        list(write_slides(frames, tmp_path, "AAA"))


def grown(code: str) -> float:
    """Run code in a process of its own; return by how many MB `run()` raised its peak memory."""
    script = textwrap.dedent(code) + textwrap.dedent(
        """
        import resource, sys
        run(small=True)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        run(small=False)
        sys.stdout.write(str((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024))
        """
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def test_a_slide_of_20000_patches_is_written_in_little_memory(tmp_path: Path) -> None:
    # 20,000 x 1,536 float32 are 117 MB.
    code = f"""
        import numpy as np, polars as pl
        from pathlib import Path
        from omicstore.store.patchfile import write_slides
        values = np.random.default_rng(0).normal(size=(1000, 1536)).astype(np.float32)
        def frames(n):
            for start in range(0, n, 1000):
                yield pl.DataFrame({{"slide_id": "S1", "sample_id": "P1-01", "patch": range(start, start + 1000), "x": 0,
                    "y": 0, "magnification": 20.0, "encoder": "uni", "features": values}},
                    schema_overrides={{"features": pl.Array(pl.Float32, 1536)}})
        def run(small):
            list(write_slides(frames(2000 if small else 20000), Path({str(tmp_path)!r}) / str(small), "AAA"))
    """
    assert grown(code) < 60


@pytest.mark.slow
def test_a_slide_is_cut_in_little_memory(tmp_path: Path) -> None:
    # 8,192 x 8,192 pixels are 192 MB, and 4,096 tiles of 128 pixels as many.
    import tifffile

    from omicstore.slides import slide as module

    rng = np.random.default_rng(0)
    block = (np.array((200, 120, 170)) + rng.integers(-25, 25, (256, 256, 3))).astype(np.uint8)
    for name, side in (("small", 1024), ("big", 8192)):
        tifffile.imwrite(
            tmp_path / f"{name}.tiff", (block for _ in range((side // 256) ** 2)), shape=(side, side, 3), dtype=np.uint8,
            tile=(256, 256), photometric="rgb", compression="deflate", resolution=(40000, 40000),
            resolutionunit="CENTIMETER",
        )  # fmt: skip
    code = f"""
        import numpy as np
        from pathlib import Path
        from omicstore.slides.slide import Slide
        def run(small):
            with Slide(Path({str(tmp_path)!r}) / ("small.tiff" if small else "big.tiff"), 40, 128) as slide:
                corners = slide.corners.tolist()
                assert len(corners) == (64 if small else 4096)
                for x, y in corners:
                    slide.tile(x, y)
    """
    assert module.OVERVIEW < 8192
    assert grown(code) < 150
