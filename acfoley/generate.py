"""From silent video, prompt and reference sound to sound: the library behind all commands.

    model = open_model("acfoley", weights_folder, device="cuda")
    job = Job(seconds=8, seed=42, picture=Excerpt(path), prompt="dog barking", reference=audio)
    (sound,) = model.generate([job])                  # Audio [1, 352800] at 44.1 kHz

Clips of one call are generated in one batch. What a clip sounds like depends on its job alone:
its noise comes from its own seed, whatever stands beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from acfoley.codec import Codec, load_codec
from acfoley.encoders import load_encoders
from acfoley.encoders.features import Encodes, FeatureMaker
from acfoley.encoders.reference import Length
from acfoley.memory import estimate_need, require_memory
from acfoley.network.conditions import Conditions, Features, Mask, joined, parse_mask
from acfoley.network.flow_network import NO_MASK, FlowNetwork
from acfoley.official import SHIPPED, require_clap, require_official
from acfoley.params import GUIDANCE, SAMPLE_RATE_HZ, SequenceLengths, sequence_lengths
from acfoley.sampling import N_STEPS, Noise, OnStep, euler, guided
from acfoley.weights import open_flow, preset_params
from bench.backbones.device import usable_device
from bench.errors import BenchError
from bench.types import Audio, Excerpt

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
#: Called with the name of each stage as it begins.
OnStage = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Job:
    """One clip to make sound for; without a picture, prompt and reference alone decide."""

    seconds: float
    seed: int
    video: Excerpt | None = None
    prompt: str = ""
    negative: str = ""
    reference: Audio | None = None


@dataclass(frozen=True)
class Settings:
    """How sound is made, whatever the clip; without ``guidance``, with the model's own.

    With parity ``official`` noise is drawn in the order of the published inference, for comparison
    with it; ``own`` lets it depend on the seed of the clip and nothing else.
    """

    n_steps: int = N_STEPS
    guidance: float | None = None
    mask: Mask = NO_MASK
    parity: Literal["own", "official"] = "own"
    reference_length: Length = "published"

    def __post_init__(self) -> None:
        if self.n_steps < 1:
            raise BenchError(f"sampling takes at least 1 step, not {self.n_steps}")


def checked_settings(
    n_steps: int,
    guidance: float | None,
    mask: str,
    scope: str,
    parity: str,
    reference_length: Length,
) -> Settings:
    """Return settings from what a user typed.

    Raises:
        BenchError: a value is none that there is.
    """
    if parity not in ("own", "official"):
        raise BenchError(f"no parity {parity!r}: there are own and official")
    return Settings(
        n_steps=n_steps,
        guidance=guidance,
        mask=parse_mask(mask, scope),
        parity="official" if parity == "official" else "own",
        reference_length=reference_length,
    )


#: As published, but for the noise.
DEFAULT = Settings()


@dataclass(frozen=True)
class Loading:
    """Where a model runs, and how; ``flow`` is a checkpoint to use instead of the official one."""

    device: str = "cpu"
    dtype: str = "float32"
    flow: Path | None = None
    low_memory: bool = False
    compile: bool = False


class Model:
    """The flow network with its codec and encoders, ready to generate.

    ``guidance`` is that of settings that name none. With ``visiting`` all parts lie on the CPU and
    take turns on that device.
    """

    def __init__(
        self,
        network: FlowNetwork,
        codec: Codec,
        encoders: Encodes,
        *,
        guidance: float = GUIDANCE,
        visiting: torch.device | None = None,
    ) -> None:
        self.network, self.codec, self.guidance = network, codec, guidance
        self.features = FeatureMaker(encoders, codec, visiting=visiting)

    @torch.inference_mode()
    def generate(
        self,
        jobs: Sequence[Job],
        settings: Settings = DEFAULT,
        *,
        on_stage: OnStage = lambda name: None,
        on_step: OnStep | None = None,
    ) -> list[Audio]:
        """Return the sound of each job, ``[1, round(seconds * 44100)]`` in [-1, 1] at 44.1 kHz.

        Raises:
            MediaError: a picture is missing or too short, a reference empty, silent or too long.
            BenchError: there is a reference and the network knows none.
            ValueError: jobs differ in length, or are not 1 to 30 s long.
        """
        if len({job.seconds for job in jobs}) != 1:
            raise ValueError("clips of one batch must have the same length, and there must be one")
        lengths = sequence_lengths(jobs[0].seconds)
        noises = [self._noise(job, settings) for job in jobs]
        encoded = [
            self._encoded(job, noise, settings, on_stage)
            for job, noise in zip(jobs, noises, strict=True)
        ]
        negatives = [Features(text=self.features.text(job.negative)) for job in jobs]
        on_stage("flow")
        start = torch.cat([noise.latents(lengths.latents) for noise in noises])
        with self.features.at_work(self.network):
            latents = self._latents(start, encoded, negatives, lengths, settings, on_step)
        on_stage("sound")
        n_samples = round(jobs[0].seconds * SAMPLE_RATE_HZ)
        # Together on a GPU; on a CPU that gains nothing and takes as many times the memory.
        n_together = 1 if latents.device.type == "cpu" else len(latents)
        with self.features.at_work(self.codec):
            waveforms = [self.codec.decode(each) for each in torch.split(latents, n_together)]
        return [_sound(each, n_samples) for each in torch.cat(waveforms)]

    def _noise(self, job: Job, settings: Settings) -> Noise:
        own = self.network.latent_mean
        is_official = settings.parity == "official"
        return Noise(job.seed, official=is_official, device=own.device, dtype=own.dtype)

    def _encoded(self, job: Job, noise: Noise, settings: Settings, on_stage: OnStage) -> Features:
        """The features of one clip; what is wholly masked is not even looked at."""
        hidden, video = settings.mask.hidden, job.video
        video_tokens = sync = text = audio = None
        if job.reference is not None:
            self._require_ears()
        if video is not None and "video" not in hidden:
            on_stage("picture")
            video_tokens = self.features.video(video, job.seconds)
        if video is not None and "sync" not in hidden:
            on_stage("movement")
            sync = self.features.sync(video, job.seconds)
        if "text" not in hidden:
            on_stage("prompt")
            text = self.features.text(job.prompt)
        if job.reference is not None and "audio" not in hidden:
            on_stage("reference")
            audio = self._heard(job.reference, noise, settings.reference_length)
        return Features(audio=audio, sync=sync, video=video_tokens, text=text)

    def _require_ears(self) -> None:
        reference = self.network.params.reference
        if reference is None:
            raise BenchError("this network knows no reference sound: use the preset acfoley")

    def _heard(self, audio: Audio, noise: Noise, length: Length) -> Tensor:
        """The reference as latents drawn by its own noise, or as what it is in one vector."""
        if self.network.params.uses_clap:
            return self.features.embedding(audio, length)
        return self.features.reference(audio, length).sample(noise.reference)

    def _latents(
        self,
        start: Tensor,
        encoded: Sequence[Features],
        negatives: Sequence[Features],
        lengths: SequenceLengths,
        settings: Settings,
        on_step: OnStep | None,
    ) -> Tensor:
        """Latents ``[B, L, 40]`` that the codec can decode, float32."""
        known = joined([self._conditions(each, lengths, settings.mask) for each in encoded])
        empty = joined([self._conditions(each, lengths, NO_MASK) for each in negatives])
        strength = self.guidance if settings.guidance is None else settings.guidance
        velocity = guided(self.network, known, empty, strength)
        latents = euler(velocity, start.to(known.vector.device), settings.n_steps, on_step)
        return self.network.denormalised(latents).float()

    def _conditions(self, features: Features, lengths: SequenceLengths, mask: Mask) -> Conditions:
        device = self.network.latent_mean.device
        return self.network.conditions(features.to(device), lengths, mask)


def open_model(
    preset: str, directory: Path, loading: Loading, *, seconds: float = 8.0, n_clips: int = 1
) -> Model:
    """Return the published model of ``preset`` from the files in ``directory``.

    ``seconds`` and ``n_clips`` are what shall be generated at once: whether that fits is said
    before anything is loaded. The small presets come with the package, and fit anywhere.

    Raises:
        MissingError: files are missing; one line says which, and the command that fetches them.
        BenchError: there is no such preset, device or type, weights of the preset are not
            published, a file is not the official one, or memory does not suffice.
    """
    params, device = preset_params(preset), usable_device(loading.device)
    if loading.dtype not in DTYPES:
        raise BenchError(f"no type {loading.dtype!r}; there are: {', '.join(DTYPES)}")
    dtype, turns = DTYPES[loading.dtype], loading.low_memory and device.type != "cpu"
    if preset in SHIPPED:
        from acfoley.mini.model import open_mini

        model = open_mini(SHIPPED[preset], device, dtype=dtype, flow=loading.flow)
    else:
        paths = require_official(preset, directory, flow=loading.flow)
        clap = require_clap(directory) if params.uses_clap else None
        need = estimate_need(params, dtype, seconds, n_clips=n_clips, low_memory=turns)
        require_memory(need, device)
        home = torch.device("cpu") if turns else device
        network = open_flow(paths.flow, params, device=home, dtype=dtype)
        codec = load_codec(paths.autoencoder, paths.vocoder, home)
        encoders = load_encoders(paths.clip, paths.synchformer, home, clap=clap)
        model = Model(network, codec, encoders, visiting=device if turns else None)
    if loading.compile:
        model.network.compile()
    return model


def _sound(waveform: Tensor, n_samples: int) -> Audio:
    """The codec makes whole latents: what is beyond the clip is cut."""
    samples = waveform[None, :n_samples].float().cpu().clamp(-1, 1)
    return Audio(samples.numpy(), SAMPLE_RATE_HZ)
