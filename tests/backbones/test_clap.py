"""CLAP against the package laion_clap, by way of a file like the official one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.backbones import clap
from bench.backbones.clap import tower_state
from bench.errors import BenchError, MediaError, MissingError
from tests.backbones.clap_inputs import (
    PROMPTS,
    golden,
    official_state,
    waveforms,
    write_vocabulary,
)
from tests.backbones.seeded import relative_errors
from tests.conftest import ROOT

pytest.importorskip("transformers", reason="needs the extra clap")


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return official_state()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, state) -> Iterator[Path]:
    """The official layout, with what training left there; gone at the end, for it is large."""
    path = tmp_path_factory.mktemp("clap") / "music_speech_audioset_epoch_15_esc_89.98.pt"
    save_as_in_training(state, path)
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture(scope="module")
def reader(checkpoint: Path) -> torch.nn.Module:
    return clap.load_clap_text(checkpoint)


@pytest.fixture(scope="module")
def audio_tower(checkpoint: Path) -> torch.nn.Module:
    return clap.load_clap_audio(checkpoint)


def save_as_in_training(state: dict[str, torch.Tensor], path: Path, **others: object) -> None:
    named = {f"module.{name}": tensor for name, tensor in state.items()}
    named["module.text_branch.embeddings.position_ids"] = torch.arange(514)[None]
    content = {"epoch": 15, "name": "clap", "state_dict": named, "lr": np.float64(1e-4)}
    torch.save({**content, **others}, path)


def batch(name: str) -> torch.Tensor:
    return torch.from_numpy(waveforms()[name])[None]


@pytest.mark.parametrize("name", list(waveforms()))
def test_log_mels_are_those_of_the_package(name):
    log_mels = clap.front_end(batch(name))
    assert log_mels.shape == (1, 1001, 64)
    np.testing.assert_allclose(log_mels[0, ::40], golden()[f"mel.{name}"], atol=1e-4)


@pytest.mark.parametrize(
    "name",
    [
        "twice_and_rest",
        pytest.param("five_times", marks=pytest.mark.slow),
        pytest.param("loud", marks=pytest.mark.slow),
    ],
)
def test_audio_is_embedded_as_by_the_package(audio_tower, name):
    embedding = clap.embed_audio(audio_tower, clap.front_end(batch(name)))["embedding"]
    assert relative_errors(embedding, golden()[f"audio.{name}"][None]).max() < 1e-5


def test_prompts_are_read_as_by_the_package(reader, tmp_path):
    tokeniser = clap.load_tokeniser(*write_vocabulary(tmp_path))
    tokens, mask = clap.tokenise(tokeniser, PROMPTS)
    assert np.array_equal(tokens, golden()["tokens"])
    assert mask.sum(axis=1).tolist() == [4, 2, 31, 28, 77]
    read = clap.embed_text(reader, tokeniser, PROMPTS)["embedding"]
    assert relative_errors(read, golden()["text"]).max() < 1e-5


def test_a_prompt_is_read_the_same_beside_others(reader, tmp_path):
    tokeniser = clap.load_tokeniser(*write_vocabulary(tmp_path))
    alone = clap.embed_text(reader, tokeniser, PROMPTS[:1])["embedding"]
    together = clap.embed_text(reader, tokeniser, PROMPTS[:3])["embedding"][:1]
    assert relative_errors(together, alone.numpy()).max() < 1e-5


def test_only_the_first_ten_seconds_of_longer_audio_count(rng):
    noise = torch.from_numpy(rng.normal(0, 0.1, (1, 600_000)).astype(np.float32))
    assert torch.equal(clap.front_end(noise), clap.front_end(noise[:, :480_000]))


def test_silence_is_at_the_floor_and_nothing_is_refused():
    assert clap.front_end(torch.zeros(1, 48_000)).numpy() == pytest.approx(-100.0)
    with pytest.raises(MediaError, match="CLAP needs audio of at least 1 samples"):
        clap.front_end(torch.zeros(1, 0))


@pytest.mark.parametrize(
    ("name", "load", "network"),
    [
        ("audio_branch.norm.bias", clap.load_clap_audio, "ClapAudioModelWithProjection"),
        ("text_projection.2.bias", clap.load_clap_text, "ClapTextModelWithProjection"),
    ],
)
def test_a_tensor_too_few_or_too_many_or_of_another_shape_is_refused(tmp_path, name, load, network):
    tower = name.partition("_")[0]
    small = {key: torch.zeros(1) for key in (f"{tower}_branch.embeddings.new", name)}
    path = tmp_path / "clap.pt"
    save_as_in_training(small, path)
    with pytest.raises(BenchError, match=rf"does not fit {network}: .* missing .* 1 unexpected"):
        load(path)


def test_every_tensor_that_embeds_is_required(state, checkpoint):
    text = tower_state(state, "text")
    assert len(text) == 5 + 12 * 16 + 2 + 4
    audio = tower_state(state, "audio")
    stacked = [name for name in state if ".attn.qkv." in name]
    left_out = [name for name in state if "extractor" in name or "attn_mask" in name]
    tagger = [name for name in state if "tscam_conv" in name or "_branch.head" in name]
    n_audio = sum(name.startswith(("audio_branch", "audio_projection")) for name in state)
    assert len(audio) == n_audio + 2 * len(stacked) - len(left_out) - len(tagger)


def test_query_key_and_value_are_the_thirds_of_the_stacked_tensor():
    stack_batch = torch.arange(6.0)
    parts = tower_state({"audio_branch.layers.0.blocks.0.attn.qkv.bias": stack_batch}, "audio")
    values = {name.rpartition("self.")[2]: part.tolist() for name, part in parts.items()}
    assert values == {"query.bias": [0, 1], "key.bias": [2, 3], "value.bias": [4, 5]}


def test_numbers_pickled_by_numpy_1_are_loaded_as_data_and_any_other_object_is_refused_as_code(
    tmp_path,
):
    path = tmp_path / "clap.pt"
    torch.save({"state_dict": {"module.x": torch.zeros(1)}, "lr": np.float64(1)}, path)
    save_as_in_training({}, path)
    with pytest.raises(BenchError, match="does not fit"):  # so it was read
        clap.load_clap_audio(path)
    save_as_in_training({}, path, sampler=np.random.RandomState(0))
    with pytest.raises(BenchError, match="holds code"):
        clap.load_clap_audio(path)


def test_weights_of_no_training_are_refused_by_name(tmp_path):
    torch.save({"state_dict": {"x": torch.zeros(1)}}, tmp_path / "clap.pt")
    with pytest.raises(BenchError, match="no tensor whose name begins with 'module.'"):
        clap.load_clap_text(tmp_path / "clap.pt")
    with pytest.raises(MissingError, match="bench weights fetch"):
        clap.load_clap_text(tmp_path / "none.pt")


def test_without_transformers_one_sentence_names_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(clap, "find_spec", lambda name: None)
    for call in (clap.load_clap_audio, clap.load_clap_text):
        with pytest.raises(MissingError, match=r"pip install 'foley-bench\[clap\]'"):
            call(tmp_path / "clap.pt")
    with pytest.raises(MissingError, match="needs the package transformers"):
        clap.load_tokeniser(tmp_path / "a", tmp_path / "b")


def test_importing_the_networks_prints_nothing_and_does_not_import_the_hub():
    code = (
        "import socket; socket.socket.connect = None\n"
        "import torch, torchaudio, torchvision\n"
        "from transformers import ClapAudioConfig, ClapAudioModelWithProjection\n"
        "from transformers import ClapTextModelWithProjection, RobertaTokenizer\n"
        "with torch.device('meta'): ClapAudioModelWithProjection(ClapAudioConfig())\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
