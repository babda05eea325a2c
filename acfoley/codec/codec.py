"""Waveforms to latents and back: mel spectrogram, autoencoder and vocoder behind one class.

    codec = load_codec(autoencoder_file, vocoder_file, device)
    latents = codec.encode(waveforms).mean            # [B, L, 40], 43.07 per second
    waveforms = codec.decode(latents)                 # [B, 1024 L] at 44.1 kHz

Latents have time before channels here, as the flow network reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from acfoley.codec.autoencoder import AUTOENCODER_44K, load_autoencoder
from acfoley.codec.autoencoder_layers import STRIDE
from acfoley.codec.griffin_lim import GriffinLim
from acfoley.codec.mel import MEL_44K, MelParams, log_mel
from acfoley.codec.vocoder import CHUNK_FRAMES, Vocoder, load_vocoder, synthesise
from bench.dsp.mel import check_waveforms


class AutoencoderProtocol(Protocol):
    """An autoencoder of spectrograms; ``codec.autoencoder.Autoencoder`` is one."""

    data_mean: Tensor

    def encode(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation of latents ``[B, D, T // 2]`` of log-mel ``[B, n_mels, T]``."""

    def decode(self, latents: Tensor) -> Tensor:
        """Log-mel ``[B, n_mels, 2 L]`` of latents ``[B, D, L]``."""

    def to(self, device: torch.device | str) -> Any:
        """Move to ``device``."""


@dataclass(frozen=True, eq=False)
class Posterior:
    """Normal distributions of latents: ``mean [B, L, D]`` and ``std [B, L, D]``."""

    mean: Tensor
    std: Tensor

    def sample(self, generator: torch.Generator) -> Tensor:
        """Latents ``[B, L, D]``; noise is drawn as published, channels before time, in float32.

        It is drawn on the device of ``generator``.
        """
        shape = self.mean.transpose(1, 2).shape
        noise = torch.randn(shape, generator=generator, device=generator.device)
        return self.mean + self.std * noise.transpose(1, 2).to(self.mean)


class Codec:
    """Waveforms to latents and latents to waveforms.

    ``chunk_frames`` is the number of frames that the vocoder synthesises at once; None means all.
    """

    def __init__(
        self,
        autoencoder: AutoencoderProtocol,
        vocoder: Vocoder | GriffinLim,
        mel: MelParams = MEL_44K,
        chunk_frames: int | None = CHUNK_FRAMES,
    ) -> None:
        self.autoencoder = autoencoder
        self.vocoder = vocoder
        self.mel = mel
        self.chunk_frames = chunk_frames

    @property
    def sample_rate_hz(self) -> int:
        """Rate of the waveforms on both sides."""
        return self.mel.sample_rate_hz

    @property
    def samples_per_latent(self) -> int:
        """Samples per latent."""
        return STRIDE * self.mel.hop_samples

    @torch.no_grad()
    def encode(self, waveforms: Tensor) -> Posterior:
        """The posterior of ``waveforms [B, T]`` float32, ``[B, T // 1024, D]``.

        Raises:
            ValueError: the waveforms are not float32 [B, T].
            MediaError: they are shorter than one latent (1,024 samples).
        """
        check_waveforms(
            waveforms, "the codec", self.sample_rate_hz, shortest=self.samples_per_latent
        )
        # The protocol has no ``device``, but every autoencoder has this tensor.
        device = self.autoencoder.data_mean.device
        mean, std = self.autoencoder.encode(log_mel(waveforms.to(device), self.mel))
        return Posterior(mean.transpose(1, 2), std.transpose(1, 2))

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Waveforms ``[B, 1024 L]`` in [-1, 1] of ``latents [B, L, D]``, on the codec's device."""
        return self.synthesise(self.decode_mel(latents))

    @torch.no_grad()
    def decode_mel(self, latents: Tensor) -> Tensor:
        """Log-mel ``[B, n_mels, 2 L]`` of ``latents [B, L, D]``."""
        device = self.autoencoder.data_mean.device
        return self.autoencoder.decode(latents.to(device).transpose(1, 2))

    @torch.no_grad()
    def synthesise(self, mel: Tensor) -> Tensor:
        """Waveforms ``[B, 512 T]`` of log-mel ``[B, n_mels, T]``."""
        # Griffin-Lim iterates over all frames together: in chunks their phases would not fit.
        if isinstance(self.vocoder, GriffinLim):
            waveforms: Tensor = self.vocoder(mel)
            return waveforms
        return synthesise(self.vocoder, mel, self.chunk_frames)

    def to(self, device: torch.device | str) -> Codec:
        """Move both networks and return the codec."""
        self.autoencoder.to(device)
        self.vocoder.to(device)
        return self


def load_codec(autoencoder: Path, vocoder: Path, device: torch.device | str = "cpu") -> Codec:
    """Return the published 44.1 kHz codec from ``v1-44.pth`` and ``bigvgan_generator.pt``.

    On a GPU the vocoder synthesises all frames at once.

    Raises:
        MissingError: a file is not there.
        BenchError: a file is damaged or another one.
    """
    # Chunks bound the memory and compute frames near their borders twice. On a GPU
    # ``Model.generate`` bounds the memory by the number of clips, at no cost.
    chunk_frames = CHUNK_FRAMES if torch.device(device).type == "cpu" else None
    return Codec(
        load_autoencoder(autoencoder, device, AUTOENCODER_44K),
        load_vocoder(vocoder, device),
        chunk_frames=chunk_frames,
    )
