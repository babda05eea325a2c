"""Compare the speed of the metrics with that of the packages they replace, at equal values.

    python benchmarks/metrics_speed.py [repeats]

Needs the packages fastdtw and pymcd (``pip install '.[benchmarks]'``). Contestants take turns in
one process on one thread and the best of the repeats counts, so that ratios survive a busy machine.
Audio is real where the folder ``shared`` is beside the checkout, synthetic elsewhere.
Exits with 1 if a ratio falls below its target, with 2 if a package is missing.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr
from threadpoolctl import threadpool_limits

from bench import metrics
from bench._numba import load_librosa

RATE_HZ = 22_050
SECONDS = 8
REAL = Path(__file__).resolve().parents[2] / "shared/golden/media"

Waveform = np.ndarray
Work = Callable[[], object]


class Race(NamedTuple):
    """Best seconds of both sides for the same work, and the expected ratio."""

    title: str
    theirs_s: float
    ours_s: float
    target: float

    @property
    def ratio(self) -> float:
        """Return the time of the package divided by that of this one."""
        return self.theirs_s / self.ours_s

    def __str__(self) -> str:
        verdict = "met" if self.ratio >= self.target else "MISSED"
        return (
            f"{self.title:<44} {self.theirs_s * 1e3:9.1f} ms {self.ours_s * 1e3:9.1f} ms "
            f"{self.ratio:8.1f}x   at least {self.target:.0f}x: {verdict}"
        )


def main() -> int:
    """Run the races, print them, and return the exit code."""
    if missing := [name for name in ("fastdtw", "pymcd") if not importlib.util.find_spec(name)]:
        print(f"missing {' and '.join(missing)}; install with: pip install '.[benchmarks]'")
        return 2
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    kind, waveforms = load_waveforms()
    print(f"{len(waveforms)} {kind} waveforms of {SECONDS} s, one thread, best of {repeats}")
    print(f"{'':<44} {'theirs':>12} {'ours':>12} {'ratio':>9}")
    with threadpool_limits(1):
        races = [
            race_alignment,
            race_distortion,
            race_distortion_uncached,
            race_onsets_of_a_pair,
            race_onsets,
        ]
        results = [race(waveforms, repeats) for race in races]
    print(*results, sep="\n")
    return int(any(result.ratio < result.target for result in results))


def race_alignment(waveforms: list[Waveform], repeats: int) -> Race:
    """FastDTW of one pair of cepstra: the package in pure Python, as pip installs it, and ours."""
    from fastdtw import fastdtw
    from scipy.spatial.distance import euclidean

    true, generated = (cepstra_of(audio)[:, 1:] for audio in waveforms[:2])
    cost, path = fastdtw(true, generated, dist=euclidean)
    ours = metrics.fastdtw_path(true, generated)
    require(
        ours.path.tolist() == [list(pair) for pair in path],
        "the paths differ (fastdtw compiled by Cython takes others)",
    )
    require(abs(ours.cost - cost) < 1e-6, "the costs differ")
    theirs_s, ours_s = best_of(
        repeats,
        lambda: fastdtw(true, generated, dist=euclidean),
        lambda: metrics.fastdtw_path(true, generated),
    )
    return Race("alignment of one pair, against fastdtw", theirs_s, ours_s, target=10)


def race_distortion(waveforms: list[Waveform], repeats: int) -> Race:
    """MCD of one pair of files, the true side analysed before, against pymcd."""
    return distortion_race(waveforms, repeats, is_cached=True)


def race_distortion_uncached(waveforms: list[Waveform], repeats: int) -> Race:
    """MCD of one pair of files, both sides analysed, against pymcd."""
    return distortion_race(waveforms, repeats, is_cached=False)


def distortion_race(waveforms: list[Waveform], repeats: int, *, is_cached: bool) -> Race:
    """Both sides read their files, which are at 22,050 Hz already."""
    from pymcd.mcd import Calculate_MCD

    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, f"{side}.wav") for side in ("true", "generated")]
        for file, audio in zip(files, waveforms, strict=False):
            soundfile.write(file, audio, RATE_HZ, subtype="FLOAT")
        package, names = Calculate_MCD("dtw"), [str(file) for file in files]
        true = cepstra_of(soundfile.read(files[0])[0])

        def ours() -> float:
            first = true if is_cached else cepstra_of(soundfile.read(files[0])[0])
            second = cepstra_of(soundfile.read(files[1])[0])
            return metrics.mel_cepstral_distortion(first, second)

        def theirs() -> float:
            return float(package.calculate_mcd(*names))

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # librosa's readers of old formats
            require(abs(ours() - theirs()) < 1e-9, "the distortions differ")
            theirs_s, ours_s = best_of(repeats, theirs, ours)
    title = "MCD of one pair, against pymcd" + (", target cached" if is_cached else "")
    return Race(title, theirs_s, ours_s, target=3 if is_cached else 1)


def race_onsets_of_a_pair(waveforms: list[Waveform], repeats: int) -> Race:
    """Onset scores of one pair: detection dominates, and both sides detect twice."""
    true, generated = waveforms[:2]

    def ours() -> tuple[float, float]:
        return metrics.onset_scores(*map(metrics.onset_features, (true, generated)))[:2]

    def theirs() -> tuple[float, float]:
        return naive_onset_scores(true, generated)

    require(np.allclose(ours(), theirs(), atol=1e-9), "the onset scores differ")
    theirs_s, ours_s = best_of(repeats, theirs, ours)
    return Race("onset scores of one pair, against a plain one", theirs_s, ours_s, target=1)


def race_onsets(waveforms: list[Waveform], repeats: int) -> Race:
    """Onset scores of every waveform against every other, as for a level of chance."""

    def ours() -> list[tuple[float, float]]:
        described = [metrics.onset_features(audio) for audio in waveforms]
        return [metrics.onset_scores(a, b)[:2] for a in described for b in described]

    def theirs() -> list[tuple[float, float]]:
        return [naive_onset_scores(a, b) for a in waveforms for b in waveforms]

    require(np.allclose(ours(), theirs(), atol=1e-9), "the onset scores differ")
    theirs_s, ours_s = best_of(repeats, theirs, ours)
    title = f"onset scores of {len(waveforms) ** 2} pairs, against a plain one"
    return Race(title, theirs_s, ours_s, target=1)


def naive_onset_scores(true: Waveform, generated: Waveform) -> tuple[float, float]:
    """The published procedure pair by pair: detect both, drop close ones, pair, rank."""
    librosa = load_librosa()
    from sklearn.metrics import average_precision_score

    truth, found = (
        librosa.onset.onset_detect(y=audio, sr=RATE_HZ, units="samples", delta=0.3).tolist()
        for audio in (true, generated)
    )
    level = np.abs(generated.astype(np.float64))
    level = (level - level.min()) / (level.max() - level.min())
    trust = {at: level[max(at - 1_102, 0) : at + 1_102].max() for at in found}
    found = without_close_ones(found, trust)
    labels, scores, n_hits = [], [], 0
    for position in truth:
        near = [at for at in found if abs(at - position) < 0.1 * RATE_HZ]
        best = max(near, key=lambda at: level[at], default=None)
        labels.append(1)
        scores.append(0.0 if best is None else trust[best])
        if best is not None:
            n_hits += 1
            found.remove(best)
    labels += [0] * len(found)
    scores += [trust[at] for at in found]
    return n_hits / len(truth), float(average_precision_score(labels, scores))


def without_close_ones(found: list[int], trust: dict[int, float]) -> list[int]:
    """Suppression with the slip of the published one: it deletes from the list it walks through."""
    kept, remaining = [], list(found)
    for strongest in sorted(found, key=lambda at: (trust[at], at), reverse=True):
        if strongest in remaining:
            kept.append(strongest)
            remaining.remove(strongest)
            for other in remaining:
                if abs(other - strongest) < 0.05 * RATE_HZ:
                    remaining.remove(other)  # the slip itself
    return sorted(kept)


def cepstra_of(audio: Waveform) -> np.ndarray:
    """The cepstra that the reported distortion compares."""
    return metrics.mel_cepstra(metrics.world_envelope(audio))


def best_of(repeats: int, theirs: Work, ours: Work) -> tuple[float, float]:
    """Best CPU seconds of each, taking turns."""
    times_s: tuple[list[float], list[float]] = ([], [])
    for _ in range(repeats):
        for work, taken_s in zip((theirs, ours), times_s, strict=True):
            # Of the processor: on the wall, another program's turn may fall on one side alone.
            start_s = time.process_time()
            work()
            taken_s.append(time.process_time() - start_s)
    return min(times_s[0]), min(times_s[1])


def require(is_equal: bool, complaint: str) -> None:
    """A ratio between different results means nothing."""
    if not is_equal:
        raise SystemExit(f"{complaint}: no ratio can be given")


def load_waveforms() -> tuple[str, list[Waveform]]:
    """Waveforms of 8 s at 22,050 Hz, and whether they are real."""
    names = ("v1_gt", "v2_gt", "v1_predA", "v2_predA", "c_gt", "c_pred", "c_dense", "c_few")
    if REAL.is_dir():
        return "real and synthetic", [read_waveform(REAL / f"{name}.flac") for name in names]
    return "synthetic", [make_waveform(np.random.default_rng(seed)) for seed in range(len(names))]


def read_waveform(path: Path) -> Waveform:
    """A file as mono float32 at 22,050 Hz."""
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    audio = soxr.resample(samples.mean(axis=1), rate_hz, RATE_HZ)
    return np.ascontiguousarray(audio[: SECONDS * RATE_HZ])


def make_waveform(rng: np.random.Generator) -> Waveform:
    """Decaying tones with harmonics and noise at random times, over a faint hiss."""
    time_s = np.arange(SECONDS * RATE_HZ) / RATE_HZ
    audio = 1e-3 * rng.normal(size=len(time_s))
    for start_s in np.sort(rng.uniform(0.2, SECONDS - 0.5, size=10)):
        since_s = np.clip(time_s - start_s, 0, None)
        decay = np.where(time_s >= start_s, np.exp(-8 * since_s), 0.0)
        pitch_hz = rng.uniform(100, 500)
        tone = sum(np.sin(2 * np.pi * k * pitch_hz * since_s) / k for k in range(1, 8))
        audio += 0.1 * decay * (tone + 0.5 * rng.normal(size=len(time_s)))
    return audio.astype(np.float32)


if __name__ == "__main__":
    sys.exit(main())
