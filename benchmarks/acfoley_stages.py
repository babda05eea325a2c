"""AC-Foley on one real clip, stage by stage, through seeded files of the official layouts.

    python -m benchmarks.acfoley_stages [seconds] [video]

The published files cannot be shipped, so files with the names and shapes of CLIP, Synchformer,
autoencoder and vocoder at full size are written with drawn weights and opened as the real ones
would be: the audio means nothing, the path and its cost are the real ones. The clip's own audio is
encoded and decoded where the flow network would make latents; to add that network, add a row to
``STAGES`` between "reference to latents" and "latents to spectrogram".

Without ``video``, the first clip of the folder ``shared`` beside the checkout is used. Needs 6 GB
of disk for a while and of memory. Of 8 s, CLIP's 64 frames alone are 64 TFLOP.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from acfoley.codec import Codec
from acfoley.codec.autoencoder import Autoencoder, load_autoencoder
from acfoley.codec.vocoder import Vocoder, load_vocoder
from acfoley.encoders.clip import (
    build_clip,
    clip_frames,
    image_features,
    load_clip,
    text_features,
    token_batch,
    tokenise,
)
from acfoley.encoders.encoders import prepare_reference, sync_frames
from acfoley.params import SAMPLE_RATE_HZ, sequence_lengths
from bench.backbones.synchformer import VideoEncoder, load_video_encoder, video_features
from bench.checkpoints.registry import OFFICIAL_FILES
from bench.media import read_audio, write_audio
from bench.seeds import stable_seed
from bench.types import Audio, Excerpt

CLIPS = Path(__file__).resolve().parents[2] / "shared" / "media" / "vggsound"
PROMPT = "a glass bell"


@dataclass
class Work:
    """The inputs and results that stages pass on."""

    folder: Path
    video: Path
    seconds: float
    found: dict[str, Any] = field(default_factory=dict)

    def file(self, name: str) -> Path:
        """Return the path of the official file of this name."""
        return self.folder / OFFICIAL_FILES[name].file

    def excerpt(self) -> Excerpt:
        """The stretch of the clip that is used."""
        return Excerpt(self.video, 0.0, self.seconds)


def _open_clip(work: Work) -> str:
    work.found["clip"] = load_clip(work.file("clip"))
    return _count(work.found["clip"])


def _read_clip_frames(work: Work) -> str:
    work.found["clip_frames"] = clip_frames(work.excerpt(), work.seconds)
    return _shape(work.found["clip_frames"])


def _encode_video(work: Work) -> str:
    work.found["video"] = image_features(work.found["clip"], work.found.pop("clip_frames"))
    return _shape(work.found["video"])


def _read_prompt(work: Work) -> str:
    tokens = token_batch([tokenise(PROMPT)])
    work.found["text"] = text_features(work.found.pop("clip"), tokens)
    return _shape(work.found["text"])


def _open_synchformer(work: Work) -> str:
    work.found["synchformer"] = load_video_encoder(work.file("synchformer"))
    return _count(work.found["synchformer"])


def _read_sync_frames(work: Work) -> str:
    work.found["sync_frames"] = sync_frames(work.excerpt(), work.seconds)
    return _shape(work.found["sync_frames"])


def _follow(work: Work) -> str:
    frames = work.found.pop("sync_frames")[None]
    tokens = video_features(work.found.pop("synchformer"), frames)
    work.found["sync"] = tokens[0].flatten(0, 1)
    return _shape(work.found["sync"])


def _open_codec(work: Work) -> str:
    autoencoder = load_autoencoder(work.file("autoencoder"))
    vocoder = load_vocoder(work.file("vocoder"))
    work.found["codec"] = Codec(autoencoder, vocoder)
    return f"{_count(autoencoder)} and {_count(vocoder)}"


def _encode_reference(work: Work) -> str:
    reference = prepare_reference(read_audio(Excerpt(work.video, 0.0, 2.0)))
    codec: Codec = work.found["codec"]
    work.found["reference"] = codec.encode(torch.from_numpy(reference)[None]).mean
    return _shape(work.found["reference"])


def _encode_audio(work: Work) -> str:
    """Encode the audio of the clip to latents, which replace those of the flow network."""
    audio = read_audio(work.excerpt(), shortfall_s=0.1)
    n_samples = sequence_lengths(work.seconds).samples
    waveform = torch.from_numpy(audio.mono())[None]
    if audio.sample_rate_hz != SAMPLE_RATE_HZ:
        raise SystemExit(f"name a clip at {SAMPLE_RATE_HZ} Hz, not {audio.sample_rate_hz}")
    filled = torch.nn.functional.pad(waveform, (0, n_samples - waveform.shape[1]))
    work.found["latents"] = work.found["codec"].encode(filled).mean
    return _shape(work.found["latents"])


def _decode(work: Work) -> str:
    work.found["mel"] = work.found["codec"].decode_mel(work.found["latents"])
    return _shape(work.found["mel"])


def _vocode(work: Work) -> str:
    work.found["audio"] = work.found["codec"].synthesise(work.found["mel"])
    return _shape(work.found["audio"])


def _write(work: Work) -> str:
    samples = work.found["audio"][:, : round(work.seconds * SAMPLE_RATE_HZ)].numpy()
    write_audio(work.folder / "sample.wav", Audio(samples, SAMPLE_RATE_HZ))
    return (
        f"{samples.shape[1]:,} samples, finite: {bool(torch.isfinite(work.found['audio']).all())}"
    )


STAGES: tuple[tuple[str, Callable[[Work], str]], ...] = (
    ("open CLIP", _open_clip),
    ("frames for CLIP", _read_clip_frames),
    ("CLIP encodes", _encode_video),
    ("CLIP reads", _read_prompt),
    ("open Synchformer", _open_synchformer),
    ("frames for Synchformer", _read_sync_frames),
    ("Synchformer follows", _follow),
    ("open codec", _open_codec),
    ("reference to latents", _encode_reference),
    ("audio to latents", _encode_audio),
    ("latents to spectrogram", _decode),
    ("spectrogram to audio", _vocode),
    ("write", _write),
)


def main() -> int:
    """Write the files, pass the clip through every stage, print what each costs."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 8.0
    videos = [Path(sys.argv[2])] if len(sys.argv) > 2 else sorted(CLIPS.glob("*.mp4"))
    if not videos:
        print("name a video, or put the folder shared beside the checkout", file=sys.stderr)
        return 2
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as folder:
        work = Work(Path(folder), videos[0], seconds)
        write_checkpoints(work)
        print(f"{seconds:g} s of {work.video.name}, two threads")
        for title, stage in STAGES:
            wall_s, busy_s = time.perf_counter(), time.process_time()
            outcome = stage(work)
            wall_s, busy_s = time.perf_counter() - wall_s, time.process_time() - busy_s
            print(f"{title:<24} {wall_s:7.1f} s {busy_s:7.1f} s busy   {outcome}", flush=True)
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory {peak_gib:.1f} GiB, mapped files included")
    return 0


def write_checkpoints(work: Work) -> None:
    """Files of the official names and layouts with weights drawn by name."""
    with torch.device("meta"):
        clip, sync, autoencoder = build_clip(), VideoEncoder(), Autoencoder()
        vocoder = Vocoder()
    torch.save(drawn_state(clip), work.file("clip"))
    seen = {f"vfeat_extractor.{name}": value for name, value in drawn_state(sync).items()}
    torch.save(seen, work.file("synchformer"))
    torch.save(drawn_state(autoencoder), work.file("autoencoder"))
    torch.save({"generator": drawn_state(vocoder)}, work.file("vocoder"))


def drawn_state(module: nn.Module) -> dict[str, Tensor]:
    """Tensors that keep signals level: gains one, biases small, matrices by their inputs."""
    state = {}
    for name, tensor in module.state_dict().items():
        generator = torch.Generator().manual_seed(stable_seed(name))
        scale = tensor[0].numel() ** -0.5 if tensor.ndim > 1 else 0.02
        value = scale * torch.randn(tensor.shape, generator=generator)
        is_gain = name.endswith(("data_std", "weight")) and tensor.ndim == 1
        state[name] = 1 + value if is_gain or name == "data_std" else value
    return state


def _count(module: nn.Module) -> str:
    return f"{sum(each.numel() for each in module.parameters()):,} weights"


def _shape(tensor: Tensor) -> str:
    return f"{list(tensor.shape)}"


if __name__ == "__main__":
    sys.exit(main())
