"""Time this package beside the published tools that people use now, in one run.

    python -m benchmarks.peers [--rounds 5] [--only NAME ...] [--peer NAME=DIR ...]

``make bench`` installs the peers that pip has. Repositories are checkouts of yours, given by
``--peer``, with their own weights; a virtual environment in ``DIR/.venv`` is used if there is one.
The two sides of a row take turns in one process on one thread, and first show that they compute the
same values; those of repositories (``repositories``) run on all cores, and their values are not
compared. A row is the peer's median seconds, ours, and the minimum, median and maximum of the ratio
of each turn (above 1: ours is faster). Peers are unmodified.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from bench import metrics
from bench.backbones import panns, passt
from bench.backbones.requirements import import_published
from bench.checkpoints.load import assign_state
from benchmarks.metrics_speed import RATE_HZ, cepstra_of, load_waveforms
from benchmarks.repositories import ENTRIES, REPOSITORIES
from benchmarks.rows import SECONDS, Row, one_thread, print_heading, print_row
from benchmarks.vocoder_speed import drawn_vocoder
from tests.backbones.seeded import drawn_state

N_CLIPS, N_DIMENSIONS = 8_676, 2_048


def main() -> int:
    """Print one row per comparison; 2 if a peer is missing, 1 if values differ."""
    options = _parse_options()
    warnings.simplefilter("ignore")  # peers call functions that their libraries have deprecated
    print_heading()
    n_missing = n_wrong = 0
    for name, make in ROWS.items():
        if options.only and name not in options.only:
            continue
        try:
            with one_thread(), make() as row:
                n_wrong += not print_row(row, options.rounds)
        except ImportError as error:
            print(f"{name}: {error}; `make bench` installs it", file=sys.stderr)
            n_missing += 1
    for name, folder in options.peer:
        with REPOSITORIES[name](folder) as row:
            n_wrong += not print_row(row, options.rounds)
    return 2 if n_missing else int(n_wrong > 0)


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time this package beside published tools.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=sorted(ROWS), default=[])
    parser.add_argument("--peer", action="append", type=_parse_peer, default=[], metavar="NAME=DIR")
    return parser.parse_args()


def _parse_peer(text: str) -> tuple[str, Path]:
    name, _, folder = text.partition("=")
    if name not in REPOSITORIES:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(sorted(REPOSITORIES))}")
    needed = Path(folder) / ENTRIES[name]
    if not needed.exists():
        raise argparse.ArgumentTypeError(
            f"{needed} does not exist: {folder} is no checkout of {name}"
        )
    return name, Path(folder).resolve()


@contextmanager
def compare_mcd(*, is_cached: bool) -> Iterator[Row]:
    """MCD of a pair of files; with the true side analysed before if ``is_cached``."""
    from pymcd.mcd import Calculate_MCD

    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, f"{side}.wav") for side in ("true", "generated")]
        for file, audio in zip(files, load_waveforms()[1], strict=False):
            soundfile.write(file, audio, RATE_HZ, subtype="FLOAT")
        package = Calculate_MCD("dtw")
        true = cepstra_of(soundfile.read(files[0])[0])

        def ours() -> float:
            first = true if is_cached else cepstra_of(soundfile.read(files[0])[0])
            return metrics.mel_cepstral_distortion(first, cepstra_of(soundfile.read(files[1])[0]))

        def theirs() -> float:
            return float(package.calculate_mcd(str(files[0]), str(files[1])))

        title = "MCD of one 8 s pair" + (", target analysed once" if is_cached else "")
        yield Row(title, _name("pymcd"), theirs, ours, lambda: abs(ours() - theirs()), 1e-9)


@contextmanager
def compare_alignment() -> Iterator[Row]:
    """FastDTW of the cepstra of one pair, the package in pure Python as pip installs it."""
    from fastdtw import fastdtw
    from scipy.spatial.distance import euclidean

    true, generated = (cepstra_of(audio)[:, 1:] for audio in load_waveforms()[1][:2])

    def ours() -> float:
        return metrics.fastdtw_path(true, generated).cost

    def theirs() -> float:
        return float(fastdtw(true, generated, dist=euclidean)[0])

    title = "alignment of one 8 s pair"
    yield Row(title, _name("fastdtw"), theirs, ours, lambda: abs(ours() - theirs()), 1e-6)


@contextmanager
def compare_frechet() -> Iterator[Row]:
    """FD of two sets of embeddings, means and covariances included on both sides."""
    from pytorch_fid.fid_score import calculate_frechet_distance

    rng = np.random.default_rng(0)
    # Rectified and with a spectrum that falls off, as the features of a network are.
    scale = 1 / np.sqrt(1 + np.arange(N_DIMENSIONS))
    mix = rng.normal(size=(N_DIMENSIONS, N_DIMENSIONS)) / np.sqrt(N_DIMENSIONS)
    true, generated = (
        np.maximum((rng.normal(size=(N_CLIPS, N_DIMENSIONS)) * scale) @ mix + shift, 0)
        for shift in (0.0, 0.01)
    )

    def ours() -> float:
        return metrics.frechet_distance(true, generated)

    def theirs() -> float:
        sides = [(side.mean(0), np.cov(side, rowvar=False)) for side in (true, generated)]
        with redirect_stdout(StringIO()):
            return float(calculate_frechet_distance(*sides[0], *sides[1]))

    def difference() -> float:
        expected = theirs()
        return abs(ours() - expected) / expected

    title = f"FD of {N_CLIPS:,} x {N_CLIPS:,} embeddings, {N_DIMENSIONS:,} dimensions"
    yield Row(title, _name("pytorch-fid"), theirs, ours, difference, 1e-6, most_rounds=3)


@contextmanager
def compare_panns_front_end() -> Iterator[Row]:
    """Log-mel spectrogram of 8 s for Cnn14."""
    stft = import_published("torchlibrosa", "stft")
    power = stft.Spectrogram(panns.N_FFT, panns.HOP, panns.N_FFT)
    bands = panns.SAMPLE_RATE_HZ, panns.N_FFT, panns.N_MELS, panns.MIN_HZ, panns.MAX_HZ
    log_mel = stft.LogmelFilterBank(*bands, top_db=None)
    audio = _make_noise(panns.SAMPLE_RATE_HZ)
    yield _compare_tensors(
        "front end of Cnn14",
        "torchlibrosa",
        lambda: log_mel(power(audio))[:, 0],
        lambda: panns.front_end(audio),
    )


@contextmanager
def compare_passt_front_end() -> Iterator[Row]:
    """Log-mel spectrogram of 8 s for PaSST."""
    preprocess = import_published("hear21passt", "models.preprocess")
    images = preprocess.AugmentMelSTFT(fmax=15_000, fmax_aug_range=2000, fmin_aug_range=10).eval()
    audio = _make_noise(passt.SAMPLE_RATE_HZ)
    padded = torch.nn.functional.pad(audio, (0, passt.N_SAMPLES - audio.shape[1]))
    yield _compare_tensors(
        "front end of PaSST",
        "hear21passt",
        lambda: images(padded),
        lambda: passt.front_end(audio),
    )


@contextmanager
def compare_passt() -> Iterator[Row]:
    """PaSST's network on 8 s, under the same drawn weights: ours has another attention set in."""
    ours, theirs = (passt.build_network(is_fused=is_fused) for is_fused in (True, False))
    state = drawn_state(ours.state_dict())
    ours, theirs = (assign_state(network, state, Path("drawn")) for network in (ours, theirs))
    image = passt.front_end(_make_noise(passt.SAMPLE_RATE_HZ)).unsqueeze(1)
    yield _compare_tensors(
        "network of PaSST", "hear21passt", lambda: theirs(image)[1], lambda: ours(image)[1]
    )


@contextmanager
def compare_vocoder() -> Iterator[Row]:
    """Waveform of 2 s at 44.1 kHz from a spectrogram, under the same drawn weights."""
    from bigvgan.bigvgan import BigVGAN
    from bigvgan.env import AttrDict

    from acfoley.codec.vocoder import VOCODER_44K, synthesise

    # The published configuration of bigvgan_v2_44khz_128band_512x.
    configuration = AttrDict(
        resblock="1",
        upsample_rates=[8, 4, 2, 2, 2, 2],
        upsample_kernel_sizes=[16, 8, 4, 4, 4, 4],
        upsample_initial_channel=1536,
        resblock_kernel_sizes=[3, 7, 11],
        resblock_dilation_sizes=[[1, 3, 5]] * 3,
        activation="snakebeta",
        snake_logscale=True,
        num_mels=VOCODER_44K.n_mels,
        use_tanh_at_final=False,
        use_bias_at_final=False,
    )
    ours, theirs = drawn_vocoder(), BigVGAN(configuration).eval()
    with redirect_stdout(StringIO()):
        theirs.remove_weight_norm()
    # The package also stores its low-pass filters, which are constants.
    lacking, unknown = theirs.load_state_dict(ours.state_dict(), strict=False)
    if unknown or not all(name.endswith(".filter") for name in lacking):
        raise SystemExit(f"this bigvgan is another network: {unknown[:3]}, {lacking[:3]}")
    mel = torch.randn(1, VOCODER_44K.n_mels, 172, generator=torch.Generator().manual_seed(1))
    yield _compare_tensors(
        "vocoder, 2 s at 44.1 kHz",
        "bigvgan",
        lambda: theirs(mel).flatten(),
        lambda: synthesise(ours, mel).flatten(),
        tolerance=1e-4,
    )


def _compare_tensors(
    title: str,
    package: str,
    theirs: Callable[[], torch.Tensor],
    ours: Callable[[], torch.Tensor],
    tolerance: float = 1e-3,
) -> Row:
    def difference() -> float:
        return float((ours() - theirs()).abs().max())

    return Row(title, _name(package), theirs, ours, difference, tolerance)


def _make_noise(rate_hz: int) -> torch.Tensor:
    noise = np.random.default_rng(0).normal(0, 0.1, (1, SECONDS * rate_hz))
    return torch.from_numpy(noise.astype(np.float32))


def _name(package: str) -> str:
    return f"{package} {version(package)}"


ROWS: dict[str, Callable[[], Any]] = {
    "mcd": lambda: compare_mcd(is_cached=False),
    "mcd-cached": lambda: compare_mcd(is_cached=True),
    "alignment": compare_alignment,
    "frechet": compare_frechet,
    "panns-front-end": compare_panns_front_end,
    "passt-front-end": compare_passt_front_end,
    "passt": compare_passt,
    "vocoder": compare_vocoder,
}

if __name__ == "__main__":
    sys.exit(main())
