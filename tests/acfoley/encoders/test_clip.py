from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from acfoley.encoders.clip import (
    CLIP_H14,
    ClipParams,
    build_clip,
    image_features,
    load_clip,
    text_features,
    token_batch,
    tokenise,
)
from bench.errors import BenchError, MissingError

#: The name of the network in open_clip's table.
ARCHITECTURE = "ViT-H-14-378-quickgelu"
SMALL = ClipParams(
    embedding=24,
    image_size=56,
    patch=14,
    vision_width=32,
    vision_layers=2,
    vision_head=16,
    text_width=40,
    text_layers=2,
    text_heads=2,
)
PROMPTS = ["", "Dog  barking!", "waves &amp; wind, 3 ducks' quacks", "Café \u2014 \U0001f436 naïve"]


@pytest.fixture(scope="module")
def reference() -> nn.Module:
    """open_clip's own network under its own initial weights."""
    torch.manual_seed(0)
    return build_clip(SMALL).eval()


@pytest.fixture(scope="module")
def checkpoint(reference: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "open_clip_pytorch_model.bin"
    torch.save(reference.state_dict(), path)
    return path


def states_after_the_last_norm(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """Return the tokens of open_clip's own text tower before it pools them to one."""
    seen: list[torch.Tensor] = []
    handle = model.ln_final.register_forward_hook(lambda *call: seen.append(call[2]))
    with torch.inference_mode():
        model.encode_text(ids)
    handle.remove()
    return seen[0]


def test_importing_the_encoders_loads_neither_open_clip_nor_torchvision() -> None:
    check = "import sys, acfoley.encoders; print({'open_clip', 'torchvision'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_sizes_are_those_of_the_published_architecture() -> None:
    import open_clip

    config = open_clip.get_model_config(ARCHITECTURE)
    vision, text = config["vision_cfg"], config["text_cfg"]
    published = ClipParams(
        embedding=config["embed_dim"],
        image_size=vision["image_size"],
        patch=vision["patch_size"],
        vision_width=vision["width"],
        vision_layers=vision["layers"],
        vision_head=vision["head_width"],
        text_width=text["width"],
        text_layers=text["layers"],
        text_heads=text["heads"],
        vocabulary=text["vocab_size"],
    )
    assert published == CLIP_H14
    assert config["quick_gelu"]
    with torch.device("meta"):
        model: Any = build_clip()
    assert sum(each.numel() for each in model.parameters()) == 986_714_881
    assert sum(each.numel() for each in model.visual.parameters()) == 632_682_240
    assert model.visual.positional_embedding.shape == (27 * 27 + 1, 1280)


def test_tokens_are_those_of_open_clip() -> None:
    import open_clip

    tokeniser = open_clip.get_tokenizer(ARCHITECTURE)
    prompts = [*PROMPTS, "a very long story " * 30]
    ours = token_batch([tokenise(prompt) for prompt in prompts])
    assert torch.equal(ours, tokeniser(prompts))
    assert ours[0, :4].tolist() == [49_406, 49_407, 0, 0]


def test_the_words_that_clip_does_not_read_are_named() -> None:
    assert tokenise("dog barking").message == ""
    exactly = tokenise("dog " * 75)
    assert len(exactly.ids) == 77
    assert exactly.message == ""
    longer = tokenise("dog " * 75 + "cat and horse")
    assert longer.ids == exactly.ids
    assert longer.cut == "cat and horse"
    assert longer.message == "CLIP reads 75 tokens of a prompt and does not read 'cat and horse'"


def test_features_are_those_of_open_clip(reference: Any, checkpoint: Path) -> None:
    model = load_clip(checkpoint, params=SMALL)
    ids = token_batch([tokenise(prompt) for prompt in PROMPTS])
    expected = functional.normalize(states_after_the_last_norm(reference, ids), dim=-1)
    found = text_features(model, ids)
    assert found.shape == (4, 77, 40)
    assert found.numpy() == pytest.approx(expected.numpy(), abs=1e-6)
    frames = torch.randn(9, 3, 56, 56, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        seen = reference.encode_image(frames, normalize=True)
    assert image_features(model, frames).numpy() == pytest.approx(seen.numpy(), abs=1e-6)


def test_pixels_that_fill_no_patch_have_no_effect(checkpoint: Path) -> None:
    model = load_clip(checkpoint, params=SMALL)
    frames = torch.randn(2, 3, 62, 62, generator=torch.Generator().manual_seed(1))
    cut = image_features(model, frames[..., :56, :56])
    assert image_features(model, frames).numpy() == pytest.approx(cut.numpy(), abs=1e-6)


def test_a_loaded_network_is_frozen_and_causal(checkpoint: Path) -> None:
    model = load_clip(checkpoint, params=SMALL)
    assert not model.training
    assert not any(each.requires_grad for each in model.parameters())
    short, long = token_batch([tokenise("dog"), tokenise("dog barking")])[:, None]
    same = text_features(model, short) - text_features(model, long)
    assert same[:, :2].abs().max() < 1e-6
    assert same[:, 2].abs().max() > 1e-3


def test_other_files_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="does not fit CLIP"):
        load_clip(checkpoint)
    with pytest.raises(MissingError, match="there is no checkpoint"):
        load_clip(tmp_path / "none.bin")
    state = torch.load(checkpoint, weights_only=True)
    del state["ln_final.weight"]
    torch.save(state, tmp_path / "half.bin")
    with pytest.raises(BenchError, match=r"1 missing \(ln_final\.weight\)"):
        load_clip(tmp_path / "half.bin", params=SMALL)
