"""Features of tiles, against the models themselves."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from omicstore.errors import SourceError
from omicstore.slides import encoder as module
from omicstore.slides.encoder import Encoder, encoder_name, jpeg, locate

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def tiles() -> list[Image.Image]:
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 255, (64, 64, 3)).astype(np.uint8)) for _ in range(5)]


@pytest.mark.parametrize("name", ["vit", "dinov2"])
def test_features_are_the_models_pooled_output(
    models: dict[str, Path], tiles: list[Image.Image], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with module._quiet():
        model = transformers.AutoModel.from_pretrained(models[name]).eval()
        processor = transformers.AutoImageProcessor.from_pretrained(models[name])
    with torch.inference_mode():
        expected = model(**processor(images=tiles, return_tensors="pt")).pooler_output.numpy()
    encode = Encoder(models[name])
    found = encode(tiles)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert (found == encode(tiles)).all()
    monkeypatch.setattr(module, "BATCH", 2)
    np.testing.assert_allclose(encode(tiles), expected, atol=1e-6)


def test_a_model_without_trained_pooler_gives_its_class_token(
    models: dict[str, Path], tiles: list[Image.Image]
) -> None:
    with module._quiet():
        model = transformers.ViTModel.from_pretrained(models["no_pooler"], add_pooling_layer=False).eval()
        processor = transformers.AutoImageProcessor.from_pretrained(models["no_pooler"])
    with torch.inference_mode():
        expected = model(**processor(images=tiles, return_tensors="pt")).last_hidden_state[:, 0].numpy()
    np.testing.assert_allclose(Encoder(models["no_pooler"])(tiles), expected, atol=1e-6)


def test_a_model_that_lacks_weights_is_refused(models: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "half"
    shutil.copytree(models["vit"], folder)
    weights = load_file(folder / "model.safetensors")
    lost = next(name for name in sorted(weights) if "pooler" not in name)
    save_file({n: w for n, w in weights.items() if n != lost}, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(SourceError, match="lacks 1 of the model's weights"):
        Encoder(folder)


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be loaded as a vision model.*save_pretrained"):
        Encoder(tmp_path)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of Hugging Face, on a machine where every connection fails the test."""
    from huggingface_hub import constants

    def connected(*_: object) -> None:
        pytest.fail("the network was asked")

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(socket.socket, "connect", connected)
    return tmp_path


def test_a_model_that_is_not_here_is_not_asked_for(cache: Path) -> None:
    with pytest.raises(SourceError, match="nothing is downloaded.*hf download owner/model"):
        locate("owner/model")


def test_a_model_that_was_downloaded_before(cache: Path) -> None:
    snapshot = cache / "models--owner--model" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "main").write_text("0" * 40)
    assert locate("owner/model") == snapshot


def test_names(models: dict[str, Path]) -> None:
    assert encoder_name(str(models["vit"])) == "vit"
    assert locate(str(models["vit"])) == models["vit"]


def test_tiles_are_kept_as_they_look(tiles: list[Image.Image]) -> None:
    import io

    plain = Image.new("RGB", (64, 64), (200, 120, 170))
    back = np.asarray(Image.open(io.BytesIO(jpeg(plain))))
    np.testing.assert_allclose(back, np.asarray(plain), atol=3)
    assert jpeg(tiles[0]) == jpeg(tiles[0])
