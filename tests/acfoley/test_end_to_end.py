"""A real clip through networks of the official sizes: video in, wav out, under drawn weights.

The audio is noise: only that every file of the official layout opens and every stage runs counts.
Run with ``pytest -m slow -s tests/acfoley/test_end_to_end.py`` to see seconds per stage. Needs
12 GB of disk for a while, and about 12 GB of memory.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

import bench.checkpoints.verify
from acfoley.encoders.clip import build_clip
from acfoley.generate import Job, Settings
from acfoley.loading import Loading, open_model
from acfoley.network.flow_network import FlowNetwork
from acfoley.official import FLOW_FILES
from acfoley.params import PRESETS
from bench.backbones.synchformer import VideoEncoder
from bench.checkpoints.registry import OFFICIAL_FILES
from bench.media import read_audio, write_audio
from bench.types import Excerpt
from tests.acfoley.official import official_state

SECONDS, N_STEPS = 2.0, 2
VIDEO_HALF = "vfeat_extractor."
VOCODER_GAIN = {r"convs.*weight_g$": 0.5}


@pytest.fixture
def weights(shared: Path, tmp_path: Path) -> Iterator[Path]:
    """A folder with the five files of AC-Foley, drawn."""
    with torch.device("meta"):
        flow, clip = FlowNetwork(PRESETS["acfoley"]).state_dict(), build_clip().state_dict()
        sync = VideoEncoder().state_dict()
    folder = tmp_path / "weights"
    folder.mkdir()
    names = {name: folder / row.file for name, row in OFFICIAL_FILES.items()}
    torch.save(drawn(flow), folder / OFFICIAL_FILES[FLOW_FILES["acfoley"]].file)
    torch.save(drawn(clip), names["clip"])
    torch.save({VIDEO_HALF + k: v for k, v in drawn(sync).items()}, names["synchformer"])
    autoencoder = official_state(shared, "state_vae_44k.json")
    autoencoder["data_std"].fill_(1)
    torch.save(autoencoder, names["autoencoder"])
    vocoder = official_state(shared, "state_bigvgan_v2_44k.json", VOCODER_GAIN)
    golden = np.load(shared / "golden" / "bigvgan_v2_44k.npz")
    for name in vocoder:
        if name.endswith(".filter"):
            vocoder[name][:] = torch.from_numpy(golden["antialias_filter"])
    torch.save({"generator": vocoder}, names["vocoder"])
    yield folder
    for file in folder.iterdir():
        file.unlink()


def drawn(like: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights by name, of a size that keeps signals level; statistics of latents are 0 and 1."""
    state = {}
    for name, tensor in like.items():
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        value = torch.randn(tensor.shape, generator=generator)
        scale = tensor[0].numel() ** -0.5 if tensor.dim() > 1 else 0.05
        is_norm = tensor.dim() == 1 and name.endswith("weight")
        state[name] = 1 + 0.1 * value if is_norm else scale * value
    if "latent_std" in state:
        state["latent_std"].fill_(1)
        state["latent_mean"].zero_()
    return state


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_real_clip_gets_audio(weights, shared, tmp_path, home, monkeypatch, capsys):
    # Drawn files have other checksums than the official ones, whose layout is what is tried here.
    monkeypatch.setattr(bench.checkpoints.verify, "is_verified", lambda *_: True)
    path = sorted((shared / "media" / "vggsound").glob("*.mp4"))[0]
    marks = [("loading", time.perf_counter())]
    model = open_model("acfoley", weights, Loading(), seconds=SECONDS)
    job = Job(
        seconds=SECONDS,
        seed=42,
        video=Excerpt(path),
        prompt="a dog barking",
        reference=read_audio(Excerpt(path, 8.0, 1.9)),
    )
    (audio,) = model.generate(
        [job],
        Settings(n_steps=N_STEPS),
        on_stage=lambda name: marks.append((name, time.perf_counter())),
    )
    marks.append(("end", time.perf_counter()))
    write_audio(tmp_path / "out.wav", audio)
    written = read_audio(Excerpt(tmp_path / "out.wav"))
    assert written.samples.shape == (1, round(SECONDS * 44_100))
    assert np.isfinite(written.samples).all()
    assert written.samples.std() > 1e-4
    with capsys.disabled():
        for (stage, start), (_, end) in zip(marks, marks[1:], strict=False):
            print(f"\n{stage:<10} {end - start:7.1f} s", end="")
