"""A judge for tests: small networks on real audio and video, which log their inputs."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from bench.errors import BenchError
from bench.judges import ClipMedia, Features, Judge, NetworkExtractor, Prepared, SignalExtractor
from bench.judges.rows import split_batch, stack_batch
from bench.suite import Metric, Side

RATE_HZ, FPS, SIDE_PIXELS = 8_000, 5, 32

#: Audio whose largest sample is one of these makes a network raise, return NaN or end its process,
#: or a signal extractor never end.
CHOKES, NOT_FINITE, DIES, HANGS = 0.875, 0.625, 0.375, 0.9375


def _prepare_audio(media: ClipMedia) -> Prepared:
    return {"waveform": media.signal(RATE_HZ), "peak": np.abs(media.window().samples).max()}


def _prepare_video(media: ClipMedia) -> Prepared:
    return {"pixels": media.frames(FPS, SIDE_PIXELS)[:, :32, :32]}


def _audio_network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv1d(1, 8, 64, 16), nn.ReLU(), nn.Conv1d(8, 16, 64, 16), nn.Tanh())


def _log(log: Path, name: str, batch: Tensor) -> None:
    with log.open("a") as file:
        file.write(f"{name} {list(batch.shape)}\n")


def _open_ear(log: Path) -> object:
    network = _audio_network().eval()

    @torch.inference_mode()
    def embed(prepared: Sequence[Prepared]) -> Sequence[Features]:
        waveforms = stack_batch(prepared, "waveform", "cpu")
        _log(log, "ear", waveforms)
        peaks = [round(float(each["peak"]), 3) for each in prepared]
        if DIES in peaks:
            os._exit(5)
        if CHOKES in peaks:
            raise BenchError("the ear chokes")
        answer = network(waveforms.unsqueeze(1)).mean(dim=-1)
        answer[[peak == NOT_FINITE for peak in peaks]] = torch.nan
        return split_batch({"embedding": answer})

    return embed


def _open_eye(log: Path) -> object:
    def embed(prepared: Sequence[Prepared]) -> Sequence[Features]:
        pixels = stack_batch(prepared, "pixels", "cpu")
        _log(log, "eye", pixels)
        return split_batch({"means": pixels.float().mean(dim=(2, 3, 4))})

    return embed


def _open_both(log: Path) -> object:
    def embed(prepared: Sequence[Prepared]) -> Sequence[Features]:
        seen = stack_batch(prepared, "eye.means", "cpu")
        waveforms = stack_batch(prepared, "waveform", "cpu")
        _log(log, "both", waveforms)
        loudness = waveforms[:, : RATE_HZ // FPS * seen.shape[1]].unflatten(1, (seen.shape[1], -1))
        return split_batch({"product": (loudness.std(dim=2) * seen).mean(dim=1, keepdim=True)})

    return embed


def _open_loudness() -> object:
    def extract(media: ClipMedia) -> Features:
        if round(float(np.abs(media.window().samples).max()), 3) == round(HANGS, 3):
            time.sleep(600)
        return {"loudness": np.array([media.signal(RATE_HZ).std()])}

    return extract


def _open_process_of_signals() -> object:
    return lambda media: {"loudness": np.array([os.getpid()])}


def _open_process_of_networks() -> object:
    return lambda prepared: [{"embedding": np.array([os.getpid()])} for _ in prepared]


def judge_of_processes() -> Judge:
    """A judge whose features are the numbers of the processes that computed them."""
    extractors = (
        SignalExtractor("loudness", "1", open=_open_process_of_signals),
        NetworkExtractor("ear", "1", prepare=_prepare_audio, open=_open_process_of_networks),
    )
    return Judge("processes", "strict", extractors, batch_size=2)


def small_judge(log: Path, batch_size: int) -> Judge:
    """A signal extractor, an ear, an eye, and what compares both."""
    extractors = (
        SignalExtractor("loudness", "1", open=_open_loudness),
        NetworkExtractor("ear", "1", prepare=_prepare_audio, open=partial(_open_ear, log)),
        NetworkExtractor(
            "eye", "1", "picture", prepare=_prepare_video, open=partial(_open_eye, log)
        ),
        NetworkExtractor(
            "both", "1", "both", ("eye",), prepare=_prepare_audio, open=partial(_open_both, log)
        ),
    )
    return Judge("small", "strict", extractors, batch_size=batch_size)


def _distance(true: Side, generated: Side) -> float:
    return float(np.abs(true["ear"]["embedding"] - generated["ear"]["embedding"]).sum())


def _difference(true: Side, generated: Side) -> float:
    return float(true["loudness"]["loudness"][0] - generated["loudness"]["loudness"][0])


def _product(true: Side, generated: Side) -> float:
    return float(generated["both"]["product"][0])


METRICS = (
    Metric("distance", "distance", "of the ear", ("ear",), _distance, "lower", 2),
    Metric("difference", "difference", "of loudness", ("loudness",), _difference, "lower", 2),
    Metric(
        "product",
        "product",
        "of video and audio",
        ("both",),
        _product,
        "higher",
        2,
        against="picture",
        true_reads=(),
    ),
)
