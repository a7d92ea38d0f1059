from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

import models
from models.aro.config import PRESETS as ARO_PRESETS
from models.aro.module import ARO
from models.batch import MultiOmicsBatch, Targets
from models.imputmae.config import PRESETS as IMPUTMAE_PRESETS
from models.imputmae.module import ImpuTMAE
from models.modis.config import PRESETS as MODIS_PRESETS
from models.modis.module import MODIS

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.module import MultiOmicsModule

AXES = {"rna": 60, "prot": 40}
#: Without dropout: what a compiled step draws for it is not what the step draws.
TINY: dict[str, tuple[type[Any], Any]] = {
    "aro": (ARO, replace(ARO_PRESETS["small"], hidden=16, input_dropout=0.0)),
    "modis": (MODIS, replace(MODIS_PRESETS["small"], hidden=16, wide_hidden=16, latent=8, adversary=16)),
    "imputmae": (
        ImpuTMAE,
        replace(IMPUTMAE_PRESETS["small"], hidden=16, mlp=16, decoder_hidden=16, decoder_mlp=16, patch=10, dropout=0.0),
    ),
}


def batch(n: int = 16) -> MultiOmicsBatch:
    rng = np.random.default_rng(1)
    arrays = {m: rng.normal(size=(n, f)).astype(np.float32) for m, f in AXES.items()}
    arrays["rna"][:3] = np.nan
    arrays["prot"][-3:] = np.nan
    ids = [f"S{i}" for i in range(n)]
    targets = replace(Targets.empty(n), label=torch.arange(n) % 3)
    return MultiOmicsBatch.from_arrays(arrays, ids, ids, targets)


def tiny(name: str, **changes: Any) -> MultiOmicsModule:
    torch.manual_seed(3)
    kind, config = TINY[name]
    module: MultiOmicsModule = kind(AXES, replace(config, **changes))
    return module


def step(module: MultiOmicsModule) -> tuple[float, dict[str, torch.Tensor]]:
    torch.manual_seed(4)
    loss = module.loss(batch())
    loss.backward()  # type: ignore[no-untyped-call]
    return float(loss.detach()), {name: p.grad for name, p in module.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("name", sorted(TINY))
def test_a_step_in_bf16_is_near_the_one_in_fp32(name: str) -> None:
    expected, slopes = step(tiny(name))
    with torch.autocast("cpu", torch.bfloat16):
        loss, grads = step(tiny(name))
    assert loss != expected
    assert loss == pytest.approx(expected, rel=0.03)
    assert grads.keys() == slopes.keys()
    assert all(g.dtype == torch.float32 and torch.isfinite(g).all() for g in grads.values())
    whole, other = (torch.cat([g[k].flatten() for k in slopes]) for g in (slopes, grads))
    # MODIS draws its latents, and in another precision it draws others.
    assert torch.nn.functional.cosine_similarity(whole, other, dim=0) > (0.7 if name == "modis" else 0.95)


@pytest.fixture
def compiled_by(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[torch.fx.GraphModule]]:
    """Return what has `torch.compile` use a backend, and returns the list that the graphs it is given go to."""
    original, graphs = torch.compile, []

    def use(backend: str) -> list[torch.fx.GraphModule]:
        def counted(graph: torch.fx.GraphModule, examples: list[torch.Tensor]) -> Any:
            graphs.append(graph)
            return torch._dynamo.lookup_backend(backend)(graph, examples)

        monkeypatch.setattr(torch, "compile", lambda call: original(call, backend=counted))
        torch.compiler.reset()
        return graphs

    return use


# Graphs are traced and differentiated ahead of time as for any backend; making machine code of them takes a compiler
# and most of a minute, so that is left to the slow test.
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize(
    "backend",
    [
        "aot_eager",
        pytest.param(
            "inductor",
            marks=[pytest.mark.slow, pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++")],
        ),
    ],
)
@pytest.mark.parametrize(("name", "parts"), [("aro", 2), ("imputmae", 3)])
def test_a_compiled_step_is_the_step(
    name: str, parts: int, backend: str, compiled_by: Callable[[str], list[torch.fx.GraphModule]]
) -> None:
    expected, slopes = step(tiny(name))
    graphs = compiled_by(backend)
    module = tiny(name, compile=True)
    module.configure_model()
    loss, grads = step(module)
    assert len(graphs) >= parts
    assert list(module.state_dict()) == list(tiny(name).state_dict())
    assert loss == pytest.approx(expected, rel=1e-4)
    assert grads.keys() == slopes.keys()
    for key, slope in slopes.items():
        torch.testing.assert_close(grads[key], slope, rtol=1e-3, atol=1e-5)


def test_no_accelerator_is_named_in_code() -> None:
    named = re.compile(r"\b(cuda|mps|xpu|hpu|rocm|nvidia)\b", re.IGNORECASE)
    files = [*Path(models.__file__).parent.rglob("*.py"), *(Path(__file__).parents[2] / "benchmarks").glob("*.py")]
    assert len(files) > 50
    code = [(path, line.partition("#")[0]) for path in files for line in path.read_text().splitlines()]
    assert [f"{path}: {line}" for path, line in code if named.search(line)] == []
