"""Features of clips, computed once: in memory, and on disk for every later run.

All that the flow network is conditioned on (video, synchronisation, prompt, reference) depends on
the clip and the encoders alone. So five references, four masks and ten seeds of one clip encode its
video once, and so do other systems with the same encoders.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from threading import Lock, RLock
from typing import Any, Protocol

import torch
from torch import Tensor

from acfoley.codec import Codec, Posterior
from acfoley.encoders.encoders import Length, PromptFeatures, prepare_reference
from bench.archives import is_file
from bench.digests import file_digest
from bench.io import atomic_path, bench_home
from bench.types import Audio, Excerpt, Waveform

log = logging.getLogger(__name__)

#: Raise it when decoding, the preparation of frames or of references, or an encoder changes.
PREPROCESSING = "1"
#: Kinds whose audio soxr resamples: its version is part of their folder's name. References for the
#: codec pass the windowed sinc of ``bench.media`` instead.
RESAMPLED_BY_SOXR = ("embedding",)
#: Features of a clip take about a megabyte.
N_KEPT = 128
#: Kinds of features of a clip, for the clips of two calls.
N_KEPT_PER_CLIP = 8
#: Threads that decode what is encoded together; decoders have threads of their own too.
DECODERS = 8


class ConditionEncoders(Protocol):
    """What encodes videos and prompts; ``acfoley.encoders.Encoders`` is one."""

    def video(self, video: Excerpt, seconds: float) -> Tensor:
        """Encode frames, ``[F, D]``; raises MediaError where they are missing or too few."""

    def video_frames(self, video: Excerpt, seconds: float) -> Tensor:
        """Decode what ``videos`` takes, in any thread; raises as ``video`` does."""

    def videos(self, frames: Tensor) -> Tensor:
        """Encode frames of several videos, ``[B, F, ...]`` to ``[B, F, D]``."""

    def sync_features(self, video: Excerpt, seconds: float) -> Tensor:
        """Encode motion, ``[S, D]``; raises as ``video`` does."""

    def sync_frames(self, video: Excerpt, seconds: float) -> Tensor:
        """Decode what ``syncs`` takes, in any thread; raises as ``video`` does."""

    def syncs(self, frames: Tensor) -> Tensor:
        """Encode motion of several videos, ``[B, F, ...]`` to ``[B, S, D]``."""

    def prompts(self, prompts: list[str]) -> PromptFeatures:
        """Encode prompts, ``[B, 77, D]``."""

    def embedding(self, waveform: Waveform) -> Tensor:
        """Encode a waveform ``[T]`` at 44.1 kHz as one vector ``[D]``."""

    def to(self, device: torch.device | str) -> Any:
        """Move the networks."""


@dataclass(frozen=True, eq=False)
class Entry:
    """Named tensors, float32 on the CPU, and what was noted when they were computed."""

    tensors: Mapping[str, Tensor]
    messages: tuple[str, ...] = ()


class FeatureFiles:
    """Features on disk: ``$BENCH_HOME/features/acfoley/<kind>/<encoder>/<key>.safetensors``.

    ``identities`` name the weights that make each kind of features; a kind without one is not kept
    on disk. The folder of an encoder also names the version of the preprocessing, the kind of
    device, since a GPU rounds otherwise than a CPU, with its precision, and, for
    ``RESAMPLED_BY_SOXR``, the version of soxr.
    Any number of processes may write at once: they write the same, and each file appears whole.
    """

    def __init__(
        self, identities: Mapping[str, str], device: torch.device | str, root: Path | None = None
    ) -> None:
        self._root = bench_home() / "features" / "acfoley" if root is None else root
        kind_of_device = torch.device(device).type
        precision = "" if kind_of_device == "cpu" else "-no-tf32"  # GPUs once rounded to TF32 here
        suffix = f"{PREPROCESSING}-{kind_of_device}{precision}"
        soxr = f"-soxr-{metadata.version('soxr')}"
        self._folders = {
            kind: f"{identity}-{suffix}{soxr if kind in RESAMPLED_BY_SOXR else ''}"
            for kind, identity in identities.items()
        }

    def path(self, kind: str, key: str) -> Path | None:
        """Return the file of these features, whether it exists or not; None where none is kept."""
        if kind not in self._folders:
            return None
        # 256 folders by the first two digits of the key: no folder gets slow to list.
        return self._root / kind / self._folders[kind] / key[:2] / f"{key}.safetensors"

    def load(self, kind: str, key: str) -> Entry | None:
        """Read features; None where there are none, or where they cannot be read (with a note)."""
        from safetensors import SafetensorError, safe_open

        if (path := self.path(kind, key)) is None:
            return None
        try:
            with safe_open(path, "pt") as file:
                # ``file`` has ``keys`` and is no mapping: it cannot be iterated over.
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                messages = tuple(json.loads((file.metadata() or {})["messages"]))
        except FileNotFoundError:
            return None
        except OSError as error:
            log.warning("cannot read the features %s: %s", path, error)
            return None
        except (SafetensorError, KeyError, ValueError) as error:
            log.warning("the features %s are damaged (%s) and are computed again", path, error)
            return None
        return Entry(tensors, messages)

    def save(self, kind: str, key: str, entry: Entry) -> None:
        """Write features; a disk that is full or read-only costs time later, and a note now."""
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        if (path := self.path(kind, key)) is None:
            return
        try:
            # JSON: the metadata of safetensors are strings.
            with atomic_path(path) as temporary:
                save_file(dict(entry.tensors), temporary, {"messages": json.dumps(entry.messages)})
        except (OSError, SafetensorError) as error:  # the latter where the disk gets full
            log.warning("cannot keep the features %s: %s", path, error)


class CachedEncoders:
    """Encoders and codec behind a memory of the last ``n_kept`` features and, below it, ``files``.

    Features are ``[1, L, D]``. ``visiting`` names the device that encoders and codec move to for
    their work and leave after it; None lets them stay where they are.
    """

    def __init__(
        self,
        encoders: ConditionEncoders,
        codec: Codec,
        *,
        files: FeatureFiles | None = None,
        visiting: torch.device | None = None,
        n_kept: int = N_KEPT,
    ) -> None:
        self._encoders, self._codec, self._files = encoders, codec, files
        self._visiting, self._n_kept = visiting, n_kept
        self._kept: OrderedDict[tuple[str, str], Entry] = OrderedDict()
        # One thread may encode the next clips while another one generates. Features that are there
        # are read at once; the networks encode for one thread at a time.
        self._reading, self._working = Lock(), RLock()

    @property
    def takes_turns(self) -> bool:
        """Whether encoders, codec and the flow network are on the device one after another."""
        return self._visiting is not None

    def video(self, video: Excerpt, seconds: float) -> Tensor:
        """Encode frames by CLIP; raises MediaError where the video is missing or too short."""
        encoders, key = self._encoders, _video_key(video, seconds)
        entry = self._cached(
            "video",
            key,
            encoders,
            lambda: Entry({"features": encoders.video(video, seconds)[None]}),
        )
        return entry.tensors["features"]

    def sync(self, video: Excerpt, seconds: float) -> Tensor:
        """Encode motion by Synchformer; raises as ``video`` does."""
        encoders, key = self._encoders, _video_key(video, seconds)
        entry = self._cached(
            "sync",
            key,
            encoders,
            lambda: Entry({"features": encoders.sync_features(video, seconds)[None]}),
        )
        return entry.tensors["features"]

    def text(self, prompt: str) -> Tensor | None:
        """Encode a prompt; None for an empty one, which the network has its own feature for."""
        if not prompt.strip():
            return None

        def compute() -> Entry:
            encoded = self._encoders.prompts([prompt])
            return Entry({"features": encoded.features}, encoded.messages)

        return self._cached("text", _hash(prompt), self._encoders, compute).tensors["features"]

    def reference(self, audio: Audio, length: Length) -> Posterior:
        """Encode a reference; raises MediaError where it is empty, silent or too long."""

        def compute() -> Entry:
            waveform = torch.from_numpy(prepare_reference(audio, length))
            posterior = self._codec.encode(waveform[None])
            return Entry({"mean": posterior.mean, "std": posterior.std})

        # The posterior, not a sample of it: samples differ by the seed of a clip.
        entry = self._cached("reference", _audio_key(audio, length), self._codec, compute)
        return Posterior(entry.tensors["mean"], entry.tensors["std"])

    def embedding(self, audio: Audio, length: Length) -> Tensor:
        """Encode a reference as one vector ``[1, 1, D]``; raises as ``reference`` does."""

        def compute() -> Entry:
            vector = self._encoders.embedding(prepare_reference(audio, length))
            return Entry({"features": vector[None, None]})

        entry = self._cached("embedding", _audio_key(audio, length), self._encoders, compute)
        return entry.tensors["features"]

    @contextmanager
    def at_work(self, part: ConditionEncoders | Codec | torch.nn.Module) -> Iterator[None]:
        """While open, ``part`` is on the device where work is done."""
        if self._visiting is None:
            yield
            return
        part.to(self._visiting)
        try:
            yield
        finally:
            part.to("cpu")
            # torch keeps freed blocks for itself, and ``memory.free_bytes`` would count them as
            # used.
            torch.cuda.empty_cache()

    def encode_videos(self, videos: Sequence[tuple[Excerpt, float]]) -> None:
        """Encode frames of videos of these seconds together, where ``video`` would encode them.

        Raises as ``video`` does if one of them cannot be decoded; none is encoded then.
        """
        encoders = self._encoders
        reads = {_video_key(*each): partial(encoders.video_frames, *each) for each in videos}
        self._encode_together("video", reads, encoders, lambda f: {"features": encoders.videos(f)})

    def encode_syncs(self, videos: Sequence[tuple[Excerpt, float]]) -> None:
        """The same for motion, where ``sync`` would encode it."""
        encoders = self._encoders
        reads = {_video_key(*each): partial(encoders.sync_frames, *each) for each in videos}
        self._encode_together("sync", reads, encoders, lambda f: {"features": encoders.syncs(f)})

    def encode_references(self, references: Sequence[Audio], length: Length) -> None:
        """The same for references, where ``reference`` would encode them."""

        def read(audio: Audio) -> Tensor:
            return torch.from_numpy(prepare_reference(audio, length))

        def encode(waveforms: Tensor) -> Mapping[str, Tensor]:
            posterior = self._codec.encode(waveforms)
            return {"mean": posterior.mean, "std": posterior.std}

        reads = {_audio_key(audio, length): partial(read, audio) for audio in references}
        self._encode_together("reference", reads, self._codec, encode)

    def _encode_together(
        self,
        kind: str,
        reads: Mapping[str, Callable[[], Tensor]],
        part: ConditionEncoders | Codec,
        encode: Callable[[Tensor], Mapping[str, Tensor]],
    ) -> None:
        """Decode by threads what is missing, and encode those of the same shape in one batch.

        ``reads`` are by key; each clip counts once, however often it is asked for.
        """
        missing = [key for key in reads if self._find(kind, key) is None]
        if not missing:
            return
        # By this call's clips, and by those of the call that goes on in another thread.
        self._n_kept = max(self._n_kept, N_KEPT_PER_CLIP * len(reads))
        with ThreadPoolExecutor(min(DECODERS, len(missing))) as pool:
            decoded = list(pool.map(lambda key: reads[key](), missing))
        for shape in dict.fromkeys(each.shape for each in decoded):
            same = {
                k: each for k, each in zip(missing, decoded, strict=True) if each.shape == shape
            }
            with self._working, self.at_work(part):
                found = encode(torch.stack(list(same.values())))
            for index, key in enumerate(same):
                entry = Entry({name: each[index : index + 1] for name, each in found.items()})
                self._keep(kind, key, entry)

    def _cached(
        self,
        kind: str,
        key: str,
        part: ConditionEncoders | Codec,
        compute: Callable[[], Entry],
    ) -> Entry:
        """Return features from memory, from disk, or computed by ``part`` and kept in both."""
        entry = self._recall(kind, key)
        if entry is not None:  # without waiting for a thread that encodes others
            return entry
        with self._working:
            entry = self._find(kind, key)
            if entry is None:
                with self.at_work(part):
                    computed = compute()
                entry = self._keep(kind, key, computed)
        return entry

    def _recall(self, kind: str, key: str) -> Entry | None:
        """Return features from memory; None where they are not there."""
        with self._reading:
            if (kind, key) not in self._kept:
                return None
            # An ordered dict as a queue: the entry that was used longest ago is at its front.
            self._kept.move_to_end((kind, key))
            return self._kept[kind, key]

    def _find(self, kind: str, key: str) -> Entry | None:
        """Return features from memory or from disk; None where neither has them."""
        entry = self._recall(kind, key)
        if entry is None and self._files is not None:
            entry = self._files.load(kind, key)
            if entry is not None:
                self._remember(kind, key, entry)
        return entry

    def _keep(self, kind: str, key: str, computed: Entry) -> Entry:
        """Keep features in memory and on disk, and return them as they are kept."""
        # As a file gives them back, so that the cache changes no last digit of the audio; copies,
        # since a part of a batch would be kept with all of it.
        tensors = {name: t.float().cpu().clone() for name, t in computed.tensors.items()}
        entry = Entry({name: t.contiguous() for name, t in tensors.items()}, computed.messages)
        if self._files is not None:
            self._files.save(kind, key, entry)
        self._remember(kind, key, entry)
        return entry

    def _remember(self, kind: str, key: str, entry: Entry) -> None:
        # Also for features from disk: the words that were cut are cut in this run as well.
        for message in entry.messages:
            log.warning("%s", message)
        with self._reading:
            self._kept[kind, key] = entry
            while len(self._kept) > self._n_kept:
                self._kept.popitem(last=False)


def _video_key(video: Excerpt, seconds: float) -> str:
    """Name the bytes of the file and the window; a missing file is left to whoever reads it."""
    content = file_digest(video.path) if is_file(video.path) else str(video.path)
    return _hash(f"{content}|{video.start_s!r}|{video.seconds!r}|{seconds!r}")


def _audio_key(audio: Audio, length: Length) -> str:
    # Shape and rate as well: the same bytes may be one channel, or two of half the length.
    content = hashlib.sha256(audio.samples.tobytes()).hexdigest()
    return _hash(f"{content}|{audio.samples.shape}|{audio.sample_rate_hz}|{length}")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
