"""Silent video, prompt and reference to audio: the library behind all commands.

    model = open_model("acfoley", weights_folder, Loading("cuda"))        # acfoley.loading
    job = Job(seconds=8, seed=42, video=Excerpt(path), prompt="dog barking", reference=audio)
    (generated,) = model.generate([job])              # Audio [1, 352800] at 44.1 kHz

On a GPU clips of one length are one batch. The audio of a clip depends on its job alone: its noise
comes from its own seed, whatever else is in the batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from acfoley.codec import Codec
from acfoley.encoders.cache import CachedEncoders, ConditionEncoders
from acfoley.encoders.encoders import Length
from acfoley.encoders.files import FeatureFiles
from acfoley.memory import measure_batch
from acfoley.network.conditions import Conditions, Features, concatenate, hidden_components
from acfoley.network.flow_network import FlowNetwork
from acfoley.params import GUIDANCE, SAMPLE_RATE_HZ, SequenceLengths, sequence_lengths
from acfoley.sampling import N_STEPS, Noise, OnStep, classifier_free_guidance, euler
from bench.backbones.precision import full_precision
from bench.errors import BenchError
from bench.types import FULL, Audio, Condition, Excerpt, parse_condition

#: Called with the name of each stage as it begins.
OnStage = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Job:
    """One clip to generate audio for; without a video, prompt and reference alone condition it."""

    seconds: float
    seed: int
    video: Excerpt | None = None
    prompt: str = ""
    negative: str = ""
    reference: Audio | None = None


@dataclass(frozen=True)
class Settings:
    """How audio is generated, for all clips; ``guidance`` None is the model's own.

    ``mask`` are the components that the network is not conditioned on. With parity ``official``
    noise is drawn in the order of the published inference, for comparison with it; with ``own`` it
    depends on the seed of the clip alone.
    """

    n_steps: int = N_STEPS
    guidance: float | None = None
    mask: Condition = FULL
    parity: Literal["own", "official"] = "own"
    reference_length: Length = "published"

    def __post_init__(self) -> None:
        if self.n_steps < 1:
            raise BenchError(f"sampling takes at least 1 step, not {self.n_steps}")
        # Refused here: the audio would not be finite, which is found after all of the work.
        if self.guidance is not None and not math.isfinite(self.guidance):
            raise BenchError(f"the strength of guidance is a finite number, not {self.guidance}")


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
        BenchError: a value does not exist or is out of range.
    """
    if parity not in ("own", "official"):
        raise BenchError(f"no parity {parity!r}: there are own and official")
    return Settings(
        n_steps=n_steps,
        guidance=guidance,
        mask=parse_condition(mask, scope),
        parity="official" if parity == "official" else "own",
        reference_length=reference_length,
    )


#: As published, but for the noise.
DEFAULT = Settings()


class Model:
    """The flow network with its codec and encoders, ready to generate.

    ``guidance`` is the strength where settings give none, ``files`` keep features on disk. With
    ``visiting`` all networks are on the CPU and take turns on that device.
    """

    def __init__(
        self,
        network: FlowNetwork,
        codec: Codec,
        encoders: ConditionEncoders,
        *,
        guidance: float = GUIDANCE,
        files: FeatureFiles | None = None,
        visiting: torch.device | None = None,
    ) -> None:
        self.network, self.codec, self.guidance = network, codec, guidance
        self._device = network.latent_mean.device if visiting is None else visiting
        self.encoders = CachedEncoders(encoders, codec, files=files, visiting=visiting)
        # Of this model, and so of one card, preset and precision: by stage and seconds.
        self._fitting: dict[tuple[str, float], int] = {}
        # The most clips of a batch so far, by seconds, where the network is compiled.
        self._compiled_sizes: dict[float, int] | None = None

    def compile(self) -> None:
        """Compile the flow network when it is first called, which takes a minute or more.

        Each number and length of clips would be compiled by itself: from then on, a batch with
        fewer clips than an earlier one of the same length is filled up with its last clip.
        """
        self.network.compile(dynamic=False)
        self._compiled_sizes = {}

    def generate(
        self,
        jobs: Sequence[Job],
        settings: Settings = DEFAULT,
        *,
        on_stage: OnStage = lambda name: None,
        on_step: OnStep | None = None,
    ) -> list[Audio]:
        """Return the audio of each job, ``[1, round(seconds * 44100)]`` in [-1, 1] at 44.1 kHz.

        On a GPU jobs of the same length are one batch; in float32, what else is in it changes
        latents by rounding (1e-5). On a CPU audio is the same to the bit in any list of jobs.

        Raises:
            MediaError: a video is missing or too short, a reference empty, silent or too long.
            BenchError: there is a reference and the network has no input for one.
            ValueError: a job is not 1 to 30 s long.
        """
        audios: dict[int, Audio] = {}
        for indices in self._batches(jobs):
            batch = self._fill([jobs[index] for index in indices])
            if len(batch) > 1:
                self.prepare(batch, settings)
            generated = self.generate_batch(batch, settings, on_stage=on_stage, on_step=on_step)
            audios.update(zip(indices, generated[: len(indices)], strict=True))
        return [audios[index] for index in range(len(jobs))]

    def _fill(self, batch: list[Job]) -> list[Job]:
        """Return a batch of a size that has been compiled, if the network is and there is one."""
        if self._compiled_sizes is None:
            return batch
        seconds = batch[0].seconds
        size = self._compiled_sizes[seconds] = max(len(batch), self._compiled_sizes.get(seconds, 0))
        return batch + batch[-1:] * (size - len(batch))

    def _batches(self, jobs: Sequence[Job]) -> list[list[int]]:
        """Group the indices of jobs to batches."""
        # On a CPU each clip is a batch: the guided pair of one clip keeps all cores busy, and
        # Griffin-Lim would enlarge the rounding that depends on the batch (codec/griffin_lim.py).
        if not self.is_on_gpu:
            return [[index] for index in range(len(jobs))]
        batches: list[list[int]] = []
        for seconds in dict.fromkeys(job.seconds for job in jobs):
            same = [index for index, job in enumerate(jobs) if job.seconds == seconds]
            # One clip is not measured: two may not fit.
            size = 1
            if len(same) > 1:
                size = self._fitting_clips("flow", seconds, partial(self._try_flow, seconds))
            batches += [same[start : start + size] for start in range(0, len(same), size)]
        return batches

    @property
    def is_on_gpu(self) -> bool:
        """Whether the networks compute on a GPU, where batches are faster than single clips."""
        return self._device.type != "cpu"

    def _fitting_clips(self, stage: str, seconds: float, work: Callable[[int], object]) -> int:
        """Return how many clips of a stage fit on the GPU, measured once for each length."""
        if (stage, seconds) not in self._fitting:
            with self.encoders.paused():
                self._fitting[stage, seconds] = measure_batch(work, self._device)
        return self._fitting[stage, seconds]

    @torch.inference_mode()
    def _try_flow(self, seconds: float, n_clips: int) -> None:
        """Take one step for clips without any condition, whose shapes are those of full ones.

        Not through compiled code: each number of clips would be compiled, for a minute or more.
        """
        lengths, network = sequence_lengths(seconds), self.network
        with self.encoders.at_work(network):
            features = network.empty_features(n_clips, lengths)
            known, empty = (network.conditions(each, lengths) for each in (features, Features()))
            velocity = classifier_free_guidance(network, known, empty, call=network.forward)
            noise = torch.zeros(n_clips, lengths.latents, network.params.latent_width)
            euler(velocity, noise.to(self._device), 1)

    @full_precision()
    @torch.inference_mode()
    def generate_batch(
        self,
        jobs: Sequence[Job],
        settings: Settings = DEFAULT,
        *,
        on_stage: OnStage = lambda name: None,
        on_step: OnStep | None = None,
    ) -> list[Audio]:
        """Return the audio of jobs as one batch on any device; see ``generate``.

        Raises:
            ValueError: jobs differ in length, or there is none.
        """
        if len({job.seconds for job in jobs}) != 1:
            raise ValueError("clips of one batch must have the same length, and there must be one")
        seconds = jobs[0].seconds
        lengths = sequence_lengths(seconds)
        own, is_official = self.network.latent_mean, settings.parity == "official"
        # Made before clips are encoded: with official parity the posterior of the reference draws
        # from the same generator, and it draws first.
        noises = [
            Noise(job.seed, official=is_official, device=own.device, dtype=own.dtype)
            for job in jobs
        ]
        encoded = [
            self._encode(job, noise, settings, on_stage)
            for job, noise in zip(jobs, noises, strict=True)
        ]
        negatives = {
            prompt: Features(text=self.encoders.text(prompt))
            for prompt in dict.fromkeys(job.negative for job in jobs)
        }
        on_stage("flow")
        noise = torch.cat([each.latents(lengths.latents) for each in noises])
        with self.encoders.at_work(self.network):
            known = concatenate([self._project(each, lengths, settings.mask) for each in encoded])
            # Jobs without a negative prompt share their empty conditions.
            empty = {text: self._project(each, lengths) for text, each in negatives.items()}
            velocity = classifier_free_guidance(
                self.network,
                known,
                concatenate([empty[job.negative] for job in jobs]),
                self.guidance if settings.guidance is None else settings.guidance,
            )
            normalised = euler(velocity, noise.to(known.vector.device), settings.n_steps, on_step)
            latents = self.network.denormalise(normalised).float()
        on_stage("audio")
        return self._decode(latents, seconds)

    @full_precision()
    @torch.inference_mode()
    def prepare(self, jobs: Sequence[Job], settings: Settings = DEFAULT) -> None:
        """Encode what ``generate`` will be conditioned on, in batches, into the cache.

        It may run in another thread while other jobs are generated; videos are decoded by threads
        of their own. Features change by rounding. Networks that take turns on a device are left
        alone: ``generate`` encodes clip by clip then.

        Raises:
            MediaError: a video or a reference cannot be used; ``generate`` raises the same.
        """
        if self.encoders.takes_turns:
            return
        hidden = hidden_components(settings.mask)
        videos = [(job.video, job.seconds) for job in jobs if job.video is not None]
        if "video" not in hidden:
            self.encoders.encode_videos(videos)
        if "sync" not in hidden:
            self.encoders.encode_syncs(videos)
        if "text" not in hidden:
            for job in jobs:
                self.encoders.text(job.prompt)
        if "audio" not in hidden and self.network.params.reference is not None:
            references = [job.reference for job in jobs if job.reference is not None]
            self._prepare_references(references, settings.reference_length)

    def _prepare_references(self, references: Sequence[Audio], length: Length) -> None:
        if not self.network.params.uses_clap:
            self.encoders.encode_references(references, length)
            return
        for reference in references:
            self.encoders.embedding(reference, length)

    def _encode(self, job: Job, noise: Noise, settings: Settings, on_stage: OnStage) -> Features:
        """Encode one clip; components that are masked completely are not encoded at all."""
        reference = job.reference
        # Refused even where the mask hides it: a user would think that it was used.
        if reference is not None and self.network.params.reference is None:
            raise BenchError(
                "this network has no input for reference audio: use the preset acfoley"
            )
        hidden = hidden_components(settings.mask)
        video = sync = text = audio = None
        if job.video is not None and "video" not in hidden:
            on_stage("video")
            video = self.encoders.video(job.video, job.seconds)
        if job.video is not None and "sync" not in hidden:
            on_stage("synchronisation")
            sync = self.encoders.sync(job.video, job.seconds)
        if "text" not in hidden:
            on_stage("prompt")
            text = self.encoders.text(job.prompt)
        if reference is not None and "audio" not in hidden:
            on_stage("reference")
            length = settings.reference_length
            if self.network.params.uses_clap:
                audio = self.encoders.embedding(reference, length)
            else:
                audio = self.encoders.reference(reference, length).sample(noise.reference)
        return Features(audio=audio, sync=sync, video=video, text=text)

    def _project(
        self, features: Features, lengths: SequenceLengths, mask: Condition = FULL
    ) -> Conditions:
        device = self.network.latent_mean.device
        return self.network.conditions(features.to(device), lengths, mask)

    def _decode(self, latents: Tensor, seconds: float) -> list[Audio]:
        """Decode latents ``[B, L, 40]``; cut what whole latents give beyond ``seconds``."""
        n_together, device = 1, latents.device
        n_samples, audios = round(seconds * SAMPLE_RATE_HZ), []
        with self.encoders.at_work(self.codec):
            # As many clips at once as memory has room for on a GPU, beside the codec. On a CPU one
            # by one: together is no faster there and takes as many times the memory.
            if device.type != "cpu" and len(latents) > 1:
                n_together = self._fitting_clips(
                    "audio", seconds, lambda n: self.codec.decode(latents[:1].repeat(n, 1, 1))
                )
            for part in torch.split(latents, n_together):
                waveforms = self.codec.decode(part)[:, None, :n_samples].float().cpu().clamp(-1, 1)
                audios += [Audio(each.numpy(), SAMPLE_RATE_HZ) for each in waveforms]
        return audios
