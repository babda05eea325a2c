"""Time this package beside the published tools that people use now, in one run.

    python -m benchmarks.peers [--rounds 5] [--only NAME ...] [--peer NAME=DIR ...]

``make bench`` installs the peers that pip has. Repositories are checkouts of yours, given by
``--peer``, with their own weights; a virtual environment in ``DIR/.venv`` is used if there is one.
The two sides of a row take turns in one process on one thread (a repository's command and ours:
one process each, all cores), and first show that they compute the same values. A row is the
peer's median seconds, ours, and the minimum, median and maximum of the ratio of each turn (above
1: ours is faster). Peers are unmodified.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import torch
from threadpoolctl import threadpool_limits

from bench import metrics
from bench.backbones import panns, passt
from bench.backbones.requirements import import_published
from bench.checkpoints.load import assign_state
from bench.checkpoints.registry import weights_directory
from benchmarks.metrics_speed import RATE_HZ, cepstra_of, load_waveforms
from benchmarks.vocoder_speed import drawn_vocoder
from tests.backbones.seeded import drawn_state

SECONDS = 8
N_CLIPS, N_DIMENSIONS = 8_676, 2_048


class Row(NamedTuple):
    """The same work by a peer and by us; ``difference`` is the largest of their values."""

    title: str
    peer: str
    theirs: Callable[[], Any]
    ours: Callable[[], Any]
    difference: Callable[[], float]
    tolerance: float
    #: Half a minute a turn needs no repeats to be told from noise.
    most_rounds: int = 100


def main() -> int:
    """Print one row per comparison; 2 if a peer is missing, 1 if values differ."""
    options = _parse_options()
    warnings.simplefilter("ignore")  # peers call functions that their libraries have deprecated
    print(f"{datetime.now(UTC):%Y-%m-%d}, {_name_processor()}, torch {torch.__version__}")
    print("| work | peer | theirs | ours | ratio: min, median, max | largest difference |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    n_missing = n_wrong = 0
    for name, make in ROWS.items():
        if options.only and name not in options.only:
            continue
        try:
            with one_thread(), make() as row:
                n_wrong += not _print_row(row, options.rounds)
        except (ImportError, PackageNotFoundError) as error:
            print(f"{name}: {error}; `make bench` installs it", file=sys.stderr)
            n_missing += 1
    for name, folder in options.peer:
        with REPOSITORIES[name](folder) as row:
            n_wrong += not _print_row(row, options.rounds)
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


def _print_row(row: Row, n_rounds: int) -> bool:
    """Print one row, and return whether both sides agree."""
    difference = row.difference()
    spent: tuple[list[float], list[float]] = ([], [])
    for turn in range(min(n_rounds, row.most_rounds)):
        # Whoever comes second finds warm caches, so the order alternates.
        for side in (0, 1) if turn % 2 else (1, 0):
            started = time.perf_counter()
            (row.theirs, row.ours)[side]()
            spent[side].append(time.perf_counter() - started)
    theirs_s, ours_s = (statistics.median(times) for times in spent)
    ratios = sorted(theirs / ours for theirs, ours in zip(*spent, strict=True))
    spread = f"{ratios[0]:.2f}, {statistics.median(ratios):.2f}, {ratios[-1]:.2f}"
    cells = (row.title, row.peer, _seconds(theirs_s), _seconds(ours_s), spread)
    print("|", *(f"{cell} |" for cell in cells), f"{difference:.1e} |", flush=True)
    if difference > row.tolerance:
        print(f"{row.title}: values differ by {difference:.1e}", file=sys.stderr)
    return difference <= row.tolerance


def _seconds(value: float) -> str:
    return f"{value * 1e3:.1f} ms" if value < 1 else f"{value:.2f} s"


def _name_processor() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.processor()


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit torch, BLAS and OpenMP to one thread: a ratio of threads is no ratio of work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1), torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before)


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
    difference = lambda: float((ours() - theirs()).abs().max())  # noqa: E731
    return Row(title, _name(package), theirs, ours, difference, tolerance)


def _make_noise(rate_hz: int) -> torch.Tensor:
    noise = np.random.default_rng(0).normal(0, 0.1, (1, SECONDS * rate_hz))
    return torch.from_numpy(noise.astype(np.float32))


def _name(package: str) -> str:
    return f"{package} {version(package)}"


@contextmanager
def compare_av_benchmark(folder: Path) -> Iterator[Row]:
    """The audio columns (FD and KL) of eight pairs of 8 s, from folders of audio to numbers.

    Both sides need their checkpoints: ``bench weights fetch`` for ours. Times include the start of
    the process and opening the networks. The numbers differ in their digits, not in their meaning:
    tests/golden holds the proof on arrays.
    """
    with tempfile.TemporaryDirectory() as work:
        true, generated = Path(work, "true"), Path(work, "generated")
        rng = np.random.default_rng(0)
        for side in (true, generated):
            side.mkdir()
            for number in range(8):
                audio = rng.normal(0, 0.1, SECONDS * 16_000)
                soundfile.write(side / f"clip{number}_000000.wav", audio, 16_000)
        weights = weights_directory()
        turns = iter(range(1_000))

        def theirs() -> None:
            caches = [f"--{side}_cache={work}/{side}-{next(turns)}" for side in ("gt", "pred")]
            sides = [f"--gt_audio={true}", f"--pred_audio={generated}", *caches]
            options = [f"--audio_length={SECONDS}", "--skip_video_related"]
            output = f"--output_metrics_dir={work}/metrics"
            _run([_python_of(folder), "evaluate.py", *sides, *options, output], folder)

        def ours() -> None:
            columns = "fd_passt,fd_panns,fd_vgg,kl_passt,kl_panns"
            sides = ["--generated", str(generated), "--reference", str(true)]
            # A new cache each time, as the peer's: otherwise only its first turn would be fair.
            home = {"BENCH_HOME": f"{work}/home-{next(turns)}"}
            command = [sys.executable, "-m", "bench", "score", *sides, "--metrics", columns]
            _run([*command, "--weights", str(weights)], Path.cwd(), home)

        yield Row(
            "FD and KL of eight 8 s pairs, end to end", folder.name, theirs, ours, lambda: 0.0, 0
        )


@contextmanager
def compare_mmaudio(folder: Path) -> Iterator[Row]:
    """One guided step of ``small_44k`` for one clip of 8 s, conditions prepared once.

    MMAudio's network has no reference audio, so the values are others: only times compare.
    """
    from acfoley.params import sequence_lengths
    from acfoley.sampling import noise_for
    from benchmarks.flow_speed import drawn_features, drawn_network, ours

    sys.path.insert(0, str(folder))
    from mmaudio.model.networks import get_my_mmaudio

    lengths = sequence_lengths(float(SECONDS))
    network = drawn_network("small_44k")
    features = drawn_features(network, 1, lengths, "cpu")
    noise = noise_for(range(1), lengths.latents)
    peer = get_my_mmaudio("small_44k").eval()
    prepared = peer.preprocess_conditions(features.video, features.sync, features.text)
    empty = peer.get_empty_conditions(1)

    def theirs() -> None:
        peer.ode_wrapper(torch.tensor(0.5), noise, prepared, empty, 4.5)

    with torch.inference_mode():
        yield Row(
            "one guided step of small_44k, 8 s",
            folder.name,
            theirs,
            lambda: ours(network, features, noise, lengths, 1),
            lambda: 0.0,
            0,
        )


def _python_of(folder: Path) -> str:
    own = folder / ".venv/bin/python"
    return str(own) if own.exists() else sys.executable


def _run(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> None:
    variables = {**os.environ, **(environment or {})}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:3])} failed in {folder}:\n{done.stderr[-2000:]}")


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
REPOSITORIES: dict[str, Callable[[Path], Any]] = {
    "av-benchmark": compare_av_benchmark,
    "mmaudio": compare_mmaudio,
}
#: What a checkout is recognised by.
ENTRIES = {"av-benchmark": "evaluate.py", "mmaudio": "mmaudio/model/networks.py"}

if __name__ == "__main__":
    sys.exit(main())
