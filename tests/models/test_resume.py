from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from model_runs import content, edited
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

import models.resume
import omicstore
from models.packing import pack, unpack
from models.resume import ResumePoint
from models.train import train

if TYPE_CHECKING:
    from collections.abc import Callable

#: Small enough to be trained three times in a second or two.
TINY: dict[str, dict[str, Any]] = {
    "aro": {"hidden": 16, "max_epochs": 8, "lr_patience": 1},
    "modis": {"hidden": 8, "wide_hidden": 8, "latent": 4, "adversary": 8, "max_epochs": 8},
    "imputmae": {"hidden": 8, "mlp": 8, "decoder_hidden": 8, "decoder_mlp": 8, "layers": 1, "max_epochs": 8, "warm_up": 2},
}  # fmt: skip


class StoppedError(Exception):
    """As a kill would, but within the test's process."""


@pytest.fixture
def tiny(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return what makes a study that trains a tiny model; points are written after every epoch."""
    monkeypatch.setattr(models.resume, "SHARE", float("inf"))

    def make(model: str) -> Path:
        root = tmp_path / model
        shutil.copytree(study, root)
        label = {"label": "subtype"} if model == "modis" else {}
        edited(root, "train", model=model, config=TINY[model], **label)
        return root

    return make


def run(root: Path, **more: Any) -> list[str]:
    said: list[str] = []
    with omicstore.open(root / "data" / "store") as store:
        train(root, store, say=said.append, **more)
    return said


def stop_in(root: Path, epoch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Train until a number of epochs are done, and let it die then."""
    from models.module import MultiOmicsModule

    def dies(self: MultiOmicsModule) -> None:
        if self.current_epoch == epoch:
            raise StoppedError

    with monkeypatch.context() as patched:
        patched.setattr(MultiOmicsModule, "on_validation_epoch_start", dies)
        with pytest.raises(StoppedError):
            run(root)


@pytest.mark.parametrize("model", sorted(TINY))
@pytest.mark.parametrize("epochs", [(1, 2), (6,)])
def test_a_stopped_training_ends_with_the_same_bytes(
    tiny: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, model: str, epochs: tuple[int, ...]
) -> None:
    root = tiny(model)
    run(root)
    expected = content(root / "artifacts")
    shutil.rmtree(root / "artifacts")
    for epoch in epochs:
        stop_in(root, epoch, monkeypatch)
    assert list(content(root / "artifacts")) == [f".{model}.resume/.gitignore", f".{model}.resume/point.safetensors"]
    said = run(root)
    assert f"resumed after epoch {epochs[-1]} of 8" in said
    assert content(root / "artifacts") == expected


@pytest.mark.parametrize(
    ("changes", "other"),
    [({"seed": 18}, "seed, weights"), ({"config": TINY["aro"] | {"lr": 0.01}}, "config"), ({"fold": 1}, "split")],
)
def test_a_point_of_another_training_is_not_used(
    tiny: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], other: str
) -> None:
    root = tiny("aro")
    stop_in(root, 2, monkeypatch)
    edited(root, "train", **changes)
    said = run(root)
    (line,) = (s for s in said if "resume point" in s)
    assert other in line
    assert line.endswith("so training starts anew")
    after = content(root / "artifacts")
    run(root)
    assert content(root / "artifacts") == after


def test_a_point_of_other_code_is_not_used(tiny: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    root = tiny("aro")
    stop_in(root, 2, monkeypatch)
    monkeypatch.setattr(models.resume, "_code_hash", lambda: "another")
    assert any("with other code, so" in line for line in run(root))


@pytest.mark.parametrize("keep", [0.0, 0.01, 0.5, 0.999])
def test_a_broken_point_is_said_and_not_used(
    tiny: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, keep: float
) -> None:
    root = tiny("aro")
    stop_in(root, 3, monkeypatch)
    path = root / "artifacts" / ".aro.resume" / "point.safetensors"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    assert any("cannot be read, so training starts anew" in line for line in run(root))
    assert (root / "artifacts/aro/sidecar.json").is_file()
    assert not path.parent.exists()


@pytest.mark.parametrize("what", ["weights", "history"])
def test_a_doctored_point_is_said_and_not_used(
    tiny: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    root = tiny("aro")
    run(root)
    expected = content(root / "artifacts")
    shutil.rmtree(root / "artifacts")
    stop_in(root, 3, monkeypatch)
    path = root / "artifacts" / ".aro.resume" / "point.safetensors"
    with safe_open(path, framework="pt") as file:
        header, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if what == "weights":  # as if test rows had taught them
        name = next(name for name, tensor in tensors.items() if tensor.dim() == 2)
        tensors[name] = tensors[name] + 0.1
    else:
        header["state"] = header["state"].replace('"loss", ', '"loss", -')
    save_file(tensors, path, metadata=header)
    assert any("was changed after it was written, so training starts anew" in line for line in run(root))
    assert content(root / "artifacts") == expected


def test_ctrl_c_is_told_as_such(tiny: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from models.module import MultiOmicsModule

    def pressed(self: MultiOmicsModule) -> None:
        raise KeyboardInterrupt

    root = tiny("aro")
    monkeypatch.setattr(MultiOmicsModule, "on_validation_epoch_start", pressed)
    with pytest.raises(KeyboardInterrupt):
        run(root)


def test_fresh_starts_anew(tiny: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    root = tiny("aro")
    stop_in(root, 3, monkeypatch)
    assert not any("resume" in line for line in run(root, fresh=True))


def test_training_goes_on_where_no_point_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    said: list[str] = []
    point = ResumePoint(tmp_path / "file" / "point", {}, said.append)
    point.write(lambda: {"epoch": 1})
    point.write(lambda: {"epoch": 2})
    assert said == ["no resume point is written: Not a directory"]


def test_a_full_disk_stops_no_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(tensors: Any, path: Path, metadata: Any) -> None:
        path.write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    said: list[str] = []
    point = ResumePoint(tmp_path / "point", {}, said.append)
    point.write(lambda: {"epoch": 1})
    point.write(lambda: {"epoch": 2})
    assert said == ["no resume point is written: I/O error: No space left on device (os error 28)"]
    assert not list(tmp_path.iterdir())


def test_writing_takes_a_small_share_of_the_time(tmp_path: Path) -> None:
    point = ResumePoint(tmp_path / "point", {}, print)
    asked: list[int] = []

    def state() -> dict[str, int]:
        asked.append(0)
        return {"epoch": len(asked)}

    for _ in range(100):
        point.write(state)
    assert len(asked) == 1


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, None, True, "x"], 3: (float("-inf"), {})},
        {"betas": (0.5, 0.999), "lr": 1e-323, "lists": [[], [()]]},
    ],
)
def test_nested_values_come_back_as_they_were(value: Any) -> None:
    assert unpack(*pack(value)) == value
    assert repr(unpack(*pack(value))) == repr(value)


def test_what_cannot_come_back_is_refused() -> None:
    with pytest.raises(TypeError, match="a state holds a set"):
        pack({"a": {1, 2}})
    with pytest.raises(TypeError, match="has the key"):
        pack({True: 1})
    tensors, text = pack([torch.arange(3), torch.tensor(2.0)])
    first, second = unpack(tensors, text)
    assert first.tolist() == [0, 1, 2]
    assert second.shape == ()
    assert first.data_ptr() != tensors["000000"].data_ptr()


@pytest.mark.slow
def test_a_killed_process_goes_on(study: Path, tmp_path: Path) -> None:
    root = tmp_path / "study"
    shutil.copytree(study, root)
    config = {"hidden": 16, "max_epochs": 400, "patience": 400}
    edited(root, "train", config=config)
    run(root)
    expected = content(root / "artifacts")
    shutil.rmtree(root / "artifacts")
    command = [str(Path(sys.executable).with_name("omicstore")), "train"]
    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    with subprocess.Popen(command, cwd=root, env=environment, stderr=subprocess.DEVNULL) as process:
        point = root / "artifacts" / ".aro.resume" / "point.safetensors"
        while process.poll() is None and not point.is_file():
            pass
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=True)
    assert "resumed after epoch" in done.stderr
    assert content(root / "artifacts") == expected
