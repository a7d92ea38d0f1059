"""Features of tiles by a vision model that transformers loads."""

from __future__ import annotations

import io
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from omicstore.errors import MissingExtraError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = ["BATCH", "Encoder", "as_rgb", "encoder_name", "jpeg", "load", "locate"]

#: Tiles of one forward pass. It is the same on every machine, since the last digits can depend on it.
BATCH = 32

#: JPEG quality of the tiles that are kept.
QUALITY = 90


class Encoder:
    """A vision model and its preprocessing, on the device that is there.

    The features are the model's pooled output, where it has one with trained weights, else its class token, else (for
    maps of features) the mean over places. Models of timm load where timm is installed, through transformers.

    Parameters
    ----------
    folder
        With config.json, preprocessor_config.json and the weights.

    Raises
    ------
    SourceError
        If the folder holds no vision model, or not all of its weights.
    MissingExtraError
        If torch or transformers is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import torch

            transformers = import_module("transformers")
        except ImportError:
            raise MissingExtraError("transformers", "slides") from None
        self.folder = folder
        try:
            with _quiet():
                self._processor = transformers.AutoImageProcessor.from_pretrained(folder)
                model, info = transformers.AutoModel.from_pretrained(
                    folder, output_loading_info=True, dtype=torch.float32
                )
        except (OSError, ValueError, LookupError, ImportError, RuntimeError) as error:
            raise SourceError(
                folder,
                f"cannot be loaded as a vision model ({' '.join(str(error).split())[:200]})",
                expected="a folder that transformers' AutoModel and AutoImageProcessor load",
                run="save it with save_pretrained, model and image processor both",
            ) from None
        lacks = sorted(str(key) for key in info["missing_keys"])
        self._pooled = not any("pooler" in key for key in lacks)
        if untrained := [key for key in lacks if "pooler" not in key]:
            raise SourceError(
                folder,
                f"lacks {len(untrained)} of the model's weights, e.g. {untrained[0]}",
                expected="all weights; what is missing would be random",
                run="download the model again",
            )
        here = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        self.device = here or torch.device("cpu")
        self._model: Any = model.to(self.device).eval()

    def __call__(self, tiles: Sequence[Image]) -> NDArray[np.float32]:
        """Return the features of RGB tiles, (tiles, dim) float32."""
        import torch

        found = []
        for start in range(0, len(tiles), BATCH):
            inputs = self._processor(images=list(tiles[start : start + BATCH]), return_tensors="pt").to(self.device)
            with torch.inference_mode():
                found.append(self._features(inputs).float().cpu().numpy())
        values = np.concatenate(found)
        if not np.isfinite(values).all():
            raise SourceError(self.folder, "gives features that are NaN or infinite", expected="finite numbers")
        return np.ascontiguousarray(values)

    def _features(self, inputs: Any) -> Any:
        if hasattr(self._model, "get_image_features"):  # the picture's side of a model of pictures and text
            output = self._model.get_image_features(pixel_values=inputs["pixel_values"])
            return getattr(output, "pooler_output", output)
        output = self._model(pixel_values=inputs["pixel_values"])
        pooled = getattr(output, "pooler_output", None)
        if self._pooled and pooled is not None:
            return pooled.flatten(1)
        states = output.last_hidden_state
        return states[:, 0] if states.ndim == 3 else states.flatten(2).mean(2)


@lru_cache(maxsize=1)
def load(folder: Path) -> Encoder:
    """Return the encoder of a folder; the last one stays loaded from slide to slide."""
    return Encoder(folder)


def encoder_name(encoder: str) -> str:
    """Return the name under which features are stored: a Hugging Face id as it is, of a folder its own name.

    Examples
    --------
    >>> encoder_name("facebook/dinov2-base"), encoder_name("/models/uni/")
    ('facebook/dinov2-base', 'uni')
    """
    return Path(encoder).name if Path(encoder).is_absolute() else encoder


def locate(encoder: str) -> Path:
    """Return the folder of an encoder; one that is named by its Hugging Face id must have been downloaded before.

    Raises
    ------
    SourceError
        If it is not on this machine.
    """
    if Path(encoder).is_absolute():
        return Path(encoder)
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
    except ImportError:
        raise MissingExtraError("transformers", "slides") from None
    try:
        return Path(snapshot_download(encoder, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        raise SourceError(
            Path(encoder),
            "is not on this machine, and nothing is downloaded",
            expected="a folder with a model that transformers loads, or the id of a model that was downloaded before",
            run=f"hf download {encoder}, where there is a network",
        ) from None


def as_rgb(picture: Image) -> Image:
    """Return a picture of any kind as 8-bit RGB, white where it is transparent, as glass is.

    Raises
    ------
    ValueError
        If its numbers have no known range.
    """
    from PIL import Image as Images

    if picture.mode.startswith("I;16"):
        # Pillow cuts what is over 255 off, which makes such a picture white.
        return Images.fromarray((np.asarray(picture, np.uint16) >> 8).astype(np.uint8)).convert("RGB")
    if picture.mode in ("I", "F"):
        raise ValueError(f"its pixels are 32-bit numbers (mode {picture.mode}), not grey levels of 8 or 16 bits")
    if picture.has_transparency_data:
        whole = picture.convert("RGBA")
        return Images.alpha_composite(Images.new("RGBA", whole.size, "white"), whole).convert("RGB")
    return picture.convert("RGB")


def jpeg(tile: Image) -> bytes:
    """Return a tile as JPEG."""
    out = io.BytesIO()
    tile.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from drawing bars and from saying that torchvision, which is not needed, is absent."""
    logging = import_module("transformers.utils.logging")
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
