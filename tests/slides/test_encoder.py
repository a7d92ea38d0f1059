"""Features of tiles, against the models themselves."""

from __future__ import annotations

import shutil
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


def test_a_model_that_cannot_be_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    def unreachable(*_: object, **__: object) -> str:
        raise LocalEntryNotFoundError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    with pytest.raises(SourceError, match=r"cannot be downloaded \(no network\).*hf download owner/model"):
        locate("owner/model")


def test_names(models: dict[str, Path]) -> None:
    assert encoder_name(str(models["vit"])) == "vit"
    assert locate(str(models["vit"])) == models["vit"]


def test_tiles_are_kept_as_they_look(tiles: list[Image.Image]) -> None:
    import io

    plain = Image.new("RGB", (64, 64), (200, 120, 170))
    back = np.asarray(Image.open(io.BytesIO(jpeg(plain))))
    np.testing.assert_allclose(back, np.asarray(plain), atol=3)
    assert jpeg(tiles[0]) == jpeg(tiles[0])
