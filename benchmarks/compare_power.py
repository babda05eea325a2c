"""How often ``bench compare`` raises a false alarm, and which faults it detects.

    python -m benchmarks.compare_power make RUNS      the runs: about an hour on one core
    python -m benchmarks.compare_power measure RUNS   the tables of docs/compare.md: two minutes

Equal systems: the runs of acfoley-mini with two seeds on the 128 clips of ``mini``. Each of the
pairs draws 128 clips with repetition and takes, clip by clip at random, one of the two samples for
the base and the other one for the new run: neither can be better, and the columns are distributed
and correlated as real ones are. Faults: an oracle, and acfoley-mini itself, against the same with a
known fault; clips are drawn with repetition.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from bench.judges import open_judge
from bench.media import read_audio, write_audio
from bench.metrics import SetEstimate, frechet_estimate
from bench.metrics.clusters import clustered_mean, clustered_sum
from bench.pipeline.compare import Difference, paired_rows, run_sides
from bench.pipeline.gate import Decision, decide
from bench.pipeline.rules import PRIMARY, ColumnRule, Margin, Rules
from bench.results import Column, load_rows
from bench.suite import Metric, Side, select
from bench.types import Audio, Excerpt

PROFILE = "av-benchmark"
N_PAIRS = 300
N_FAULTY = 100
MOST_FALSE_ALARMS = 0.07
SHIFT_S, GAIN_DB, SWAPPED = 0.05, -3.0, 0.2

PAGE = Path(__file__).resolve().parents[1] / "docs" / "compare.md"
BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->"

SEED_42, SEED_43 = "acfoley-mini/mini/full-42", "acfoley-mini/mini/full-43"
ORACLE = "oracle/mini/full-42"
FAULTS = {
    "50 ms late": ("oracle-shift-0.05", "late"),
    "3 dB quieter": ("oracle-gain--3", "quieter"),
    "20 % other class": ("oracle-class-0.2", "swapped"),
}

#: Columns beyond the paper's that are tried as primary ones beside its ten.
EXTRAS = ("env_corr", "lsd")

#: Every margin 0: as often as equal systems fail then, systems fail whose loss is the margin.
NO_MARGINS = Rules(columns={name: ColumnRule(margin=Margin()) for name in PRIMARY})


def main() -> int:
    """Make the runs or measure them; 1 if the targets of the page are missed."""
    task, runs = sys.argv[1], Path(sys.argv[2])
    if task == "make":
        make(runs)
        return 0
    text, is_good = measure(runs)
    page = PAGE.read_text("utf-8")
    before, after = page.partition(BEGIN)[0], page.partition(END)[2]
    PAGE.write_text(before + BEGIN + text + END + after, encoding="utf-8")
    return 0 if is_good else 1


def make(runs: Path) -> None:
    """Prepare the clips and carry out every run that is not finished."""
    _bench("data", "prepare", "mini")
    for model in ("oracle", "oracle-shift:0.05", "oracle-gain:-3", "oracle-class:0.2"):
        _run(runs, model)
    for seed in ("42", "43"):
        _run(runs, "acfoley-mini", "--seed", seed)
    for name in ("late", "quieter", "swapped"):
        _damage(runs / SEED_42 / "samples", runs / "damaged" / name, name)
        _run(runs / name, f"precomputed:{runs / 'damaged' / name}")


def _run(runs: Path, model: str, *more: str) -> None:
    _bench("run", "--model", model, "--split", "mini", "--runs", str(runs), *more)


def _bench(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "bench", *arguments], check=True)


def _damage(samples: Path, out: Path, fault: str) -> None:
    files = sorted(samples.glob("*.flac"))
    out.mkdir(parents=True, exist_ok=True)
    swapped = set(np.random.default_rng(0).permutation(len(files))[: round(SWAPPED * len(files))])
    for i, file in enumerate(files):
        source = files[(i + 1) % len(files)] if fault == "swapped" and i in swapped else file
        audio = read_audio(Excerpt(source))
        write_audio(out / file.name, _late_or_quieter(audio, fault))


def _late_or_quieter(audio: Audio, fault: str) -> Audio:
    samples = audio.samples
    if fault == "late":
        late = np.pad(samples, ((0, 0), (round(SHIFT_S * audio.sample_rate_hz), 0)))
        samples = late[:, : audio.samples.shape[1]]
    if fault == "quieter":
        samples = samples * np.float32(10 ** (GAIN_DB / 20))
    return Audio(samples, audio.sample_rate_hz)


@dataclass(frozen=True)
class Runs:
    """Two finished runs over the same clips, held in memory to be drawn from."""

    base: Path
    new: Path

    @cached_property
    def rows(self) -> pd.DataFrame:
        """One row per clip."""
        return paired_rows(load_rows(self.base), load_rows(self.new))

    @cached_property
    def embeddings(self) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """``[N, n, D]`` of the truth, the base and the new run, n rows per clip, by set column."""
        judge, clips = open_judge("mini", PROFILE), list(self.rows["clip"])
        found = {}
        for metric in select(PROFILE, PRIMARY):
            if metric.score_set is None:
                continue
            true, base = run_sides(self.base, metric, judge, clips)
            _, new = run_sides(self.new, metric, judge, clips)
            found[metric.name] = (_stacked(true), _stacked(base), _stacked(new))
        return found

    def draw(self, rng: np.random.Generator, *, is_swapped: bool) -> list[Difference]:
        """The differences of the paper's columns and the extras over clips drawn with repetition.

        ``is_swapped`` exchanges base and new of each of them with a chance of one half.
        """
        n = len(self.rows)
        chosen, swap = rng.integers(0, n, n), rng.random(n) < 0.5 * is_swapped
        return [
            self._of_set(each, chosen, swap)
            if each.score_set
            else self._of_clips(each, chosen, swap)
            for each in select(PROFILE, (*PRIMARY, *EXTRAS))
        ]

    def _of_clips(self, metric: Metric, chosen: np.ndarray, swap: np.ndarray) -> Difference:
        """The difference of a column that has a score per clip."""
        base, new = (
            self.rows[f"{metric.name}_{run}"].to_numpy()[chosen] for run in ("base", "new")
        )
        change = np.where(swap, base - new, new - base)
        found = clustered_mean(change, _names(len(chosen)))
        return Difference(Column.of(metric), float(np.nanmean(np.where(swap, new, base))), found)

    def _of_set(self, metric: Metric, chosen: np.ndarray, swap: np.ndarray) -> Difference:
        true, *made = (each[chosen] for each in self.embeddings[metric.name])
        is_new = swap[:, None, None]
        base, new = np.where(is_new, made[1], made[0]), np.where(is_new, made[0], made[1])

        before, after = _distance(true, base), _distance(true, new)
        change = after.minus(before)
        found = clustered_sum(change.value, change.true + change.generated, _names(len(chosen)))
        return Difference(Column.of(metric), before.value, found)


def _distance(true: np.ndarray, made: np.ndarray) -> SetEstimate:
    """The Fréchet distance of two sides ``[N, n, D]`` with the contributions of the N clips."""
    starts = np.arange(len(true)) * true.shape[1]
    sets = (each.reshape(-1, each.shape[-1]) for each in (true, made))
    return frechet_estimate(*sets).by_clip(starts, starts)


def _stacked(sides: Sequence[Side]) -> np.ndarray:
    features = (next(iter(side.values())) for side in sides)
    return np.stack([np.atleast_2d(each["embedding"]) for each in features])


def _names(n: int) -> list[str]:
    return [str(i) for i in range(n)]


def measure(runs: Path) -> tuple[str, bool]:
    """Return the tables as Markdown, and whether the targets are met."""
    alarms, is_quiet = _false_alarms(Runs(runs / SEED_42, runs / SEED_43))
    cases = {
        (world, fault): _seen(pair)
        for fault, (oracle, damaged) in FAULTS.items()
        for world, pair in (
            ("oracle", Runs(runs / ORACLE, runs / oracle / "mini/full-42")),
            ("acfoley-mini", Runs(runs / SEED_42, _precomputed(runs / damaged))),
        )
    }
    is_seen = all(shares["ten"] >= 0.8 for (world, _), shares in cases.items() if world == "oracle")
    return alarms + _power_table(cases), is_quiet and is_seen


def _precomputed(folder: Path) -> Path:
    return next(folder.glob("*/mini/full-42"))


def _false_alarms(equal: Runs) -> tuple[str, bool]:
    rng = np.random.default_rng(1)
    drawn = [equal.draw(rng, is_swapped=True)[: len(PRIMARY)] for _ in range(N_PAIRS)]
    with_margins = [decide(each, Rules()) for each in drawn]
    without = [decide(each, NO_MARGINS) for each in drawn]
    uncorrected = [any(each.verdict == "worse" for each in some) for some in drawn]
    shares = {
        "default margins": np.mean([_fails(each) for each in with_margins]),
        "the loss of every column exactly its margin": np.mean([_fails(each) for each in without]),
        "any 95 % interval worse, the rule without margins and Holm": np.mean(uncorrected),
    }
    lines = [
        f"### False alarms, {N_PAIRS} pairs of equal systems of {len(equal.rows)} clips",
        "",
        "| rule | comparisons that fail |",
        "| --- | ---: |",
        *(f"| {rule} | {100 * share:.1f} % |" for rule, share in shares.items()),
        "",
    ]
    is_quiet = max(list(shares.values())[:2]) <= MOST_FALSE_ALARMS
    return "\n".join([*lines, *_resolution(with_margins), "", ""]), is_quiet


def _fails(decisions: Sequence[Decision]) -> bool:
    return any(each.outcome == "regression" for each in decisions)


def _resolution(decisions: Sequence[Sequence[Decision]]) -> list[str]:
    """Return table rows on two equal systems, column by column."""
    lines = [
        "### What 128 clips can show of two seeds of one system",
        "",
        "| column | standard error | margin | loss found in 4 of 5 comparisons | shown not worse |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for column in zip(*decisions, strict=True):
        found = [each.found for each in column if isinstance(each.found, Difference)]
        error = float(np.mean([each.estimate.standard_error for each in found]))
        margin = float(np.mean([each.margin for each in column]))
        not_worse = np.mean([each.outcome == "not worse" for each in column])
        digits = found[0].column.decimals
        # 2.58 and 0.84 are the normal quantiles of 1 - 0.05 / 10, Holm's strictest, and of 0.8.
        lines.append(
            f"| {found[0].name} | {error:.{digits}f} | {margin:.{digits}f} "
            f"| {margin + (2.58 + 0.84) * error:.{digits}f} | {100 * not_worse:.0f} % |"
        )
    return lines


def _seen(pair: Runs) -> dict[str, float]:
    """Return how often each column, the ten, and all columns call the fault a regression."""
    rng = np.random.default_rng(2)
    drawn = [pair.draw(rng, is_swapped=False) for _ in range(N_FAULTY)]
    ten = [decide(each[: len(PRIMARY)], Rules()) for each in drawn]
    by_column = np.array([[each.outcome == "regression" for each in some] for some in ten])
    shares = dict(zip(PRIMARY, by_column.mean(axis=0), strict=True))
    with_extras = np.mean([_fails(decide(each, Rules())) for each in drawn])
    return {"ten": np.mean([_fails(each) for each in ten]), "extras": with_extras, **shares}


def _power_table(cases: dict[tuple[str, str], dict[str, float]]) -> str:
    lines = [
        f"### Faults found, of {N_FAULTY} comparisons of 128 clips each",
        "",
        f"| system | fault | exit 1 | with {' and '.join(EXTRAS)} | {' | '.join(PRIMARY)} |",
        f"| --- | --- | {' | '.join(['---:'] * (len(PRIMARY) + 2))} |",
    ]
    for (world, fault), shares in cases.items():
        cells = (f"{100 * shares[name]:.0f} %" for name in ("ten", "extras", *PRIMARY))
        lines.append(f"| {world} | {fault} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
