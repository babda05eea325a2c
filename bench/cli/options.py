"""The options that several commands share, and the values that a shell completes.

The shell runs ``bench`` after every Tab, so completion loads no model, no torch and no pandas.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer


def complete_model(incomplete: str) -> list[str]:
    """Systems by name; those that take an argument end in a colon."""
    from bench.plugins import read_declarations

    rows = read_declarations("system")
    return _matching([f"{row.name}:" if row.argument else row.name for row in rows], incomplete)


def complete_isolated(incomplete: str) -> list[str]:
    """Systems that run in an environment of their own."""
    from bench.isolation import IsolatedSystem
    from bench.plugins import open_system, read_declarations

    rows = [row for row in read_declarations("system") if not row.argument]
    isolated = [row.name for row in rows if isinstance(open_system(row.name), IsolatedSystem)]
    return _matching(isolated, incomplete)


def complete_models(incomplete: str) -> list[str]:
    """Systems by name, after those that are given already, or all of them."""
    return _complete_list(["all", *complete_model("")], incomplete)


def complete_split(incomplete: str) -> list[str]:
    """Splits by name; those that take an argument end in a colon."""
    from bench.splits import find_splits

    rows = find_splits()
    return _matching([f"{row.name}:" if row.argument else row.name for row in rows], incomplete)


def complete_metrics(incomplete: str) -> list[str]:
    """Columns by name, after those that are given already."""
    from bench.suite import DEFAULT_PROFILE, find_metrics

    return _complete_list([row.name for row in find_metrics(DEFAULT_PROFILE)], incomplete)


def complete_profile(incomplete: str) -> list[str]:
    """The profiles of the suite."""
    from bench.suite import PROFILES

    return _matching(PROFILES, incomplete)


def complete_engine(incomplete: str) -> list[str]:
    """Where workers run."""
    from bench.engine.choice import ENGINES

    return _matching(ENGINES, incomplete)


def complete_judge(incomplete: str) -> list[str]:
    """The judges."""
    from bench.judges import JUDGES

    return _matching(JUDGES, incomplete)


def complete_mask(incomplete: str) -> list[str]:
    """Components that can be masked, after those that are given already."""
    from bench.types import COMPONENTS

    return _complete_list(COMPONENTS, incomplete)


def complete_ablated(incomplete: str) -> list[str]:
    """Components to mask in a run each, after those that are given already, or all of them."""
    from bench.types import COMPONENTS

    return _complete_list([*COMPONENTS, "all"], incomplete)


def complete_scope(incomplete: str) -> list[str]:
    """How much of a component is masked."""
    from bench.types import SCOPES

    return _matching(SCOPES, incomplete)


def complete_origin(incomplete: str) -> list[str]:
    """Where references are from."""
    from bench.splits.references import ORIGINS

    return _matching(ORIGINS, incomplete)


def complete_weights(incomplete: str) -> list[str]:
    """The checkpoints of the judges."""
    from bench.checkpoints.registry import OFFICIAL_FILES

    return _matching(OFFICIAL_FILES, incomplete)


def complete_stage(incomplete: str) -> list[str]:
    """The trained variants of Table 4, after those that are given already."""
    return _complete_variants("stage", incomplete)


def complete_pooling(incomplete: str) -> list[str]:
    """The trained variants of Table 5, after those that are given already."""
    return _complete_variants("pooling", incomplete)


def _complete_variants(option: str, incomplete: str) -> list[str]:
    from bench.pipeline.ablation import ABLATIONS

    names = [variant.name for table in ABLATIONS.values() for variant in table[option]]
    return _complete_list([*dict.fromkeys(names), "all"], incomplete)


def complete_conflict(incomplete: str) -> list[str]:
    """The inputs that can be in conflict with the video."""
    from bench.pipeline.ablation import CONFLICTS

    return _matching(CONFLICTS, incomplete)


def complete_match(incomplete: str) -> list[str]:
    """How files of two folders are paired."""
    from bench.pipeline.pairing import MATCHES

    return _matching(MATCHES, incomplete)


def complete_compare_format(incomplete: str) -> list[str]:
    """The formats of a comparison."""
    from bench.cli.compare import FORMATS

    return _matching(FORMATS, incomplete)


def complete_results_format(incomplete: str) -> list[str]:
    """The formats of all results."""
    from bench.cli.results import FORMATS

    return _matching(FORMATS, incomplete)


def complete_lists(incomplete: str) -> list[str]:
    """What ``bench list`` lists."""
    return _matching(("models", "splits", "metrics"), incomplete)


def complete_axis(incomplete: str) -> list[str]:
    """The axes by which clips are in groups."""
    from bench.grouping import KNOWN_AXES

    return _matching(KNOWN_AXES, incomplete)


def complete_format(incomplete: str) -> list[str]:
    """The formats of tables."""
    from reports.formats import STYLES

    return _matching(["terminal", *STYLES], incomplete)


def complete_world(incomplete: str) -> list[str]:
    """Real clips or rendered ones."""
    from reports.published import WORLDS

    return _matching(WORLDS, incomplete)


def complete_figure_format(incomplete: str) -> list[str]:
    """The formats of figures."""
    from bench.figures import FORMATS

    return _matching(FORMATS, incomplete)


def choose_figure(out: Path | None, format: str | None, stem: str) -> Path:
    """Return the file of a figure: the one that is named, or ``stem`` with the format's suffix.

    Raises:
        BenchError: there is no such format, or the file that is named is of another.
    """
    from bench.errors import BenchError
    from bench.figures import FORMATS, figure_format

    if format is not None and format not in FORMATS:
        raise BenchError(f"no figure format {format!r}; there are: {', '.join(FORMATS)}")
    if out is None:
        return Path(f"{stem}.{format or FORMATS[0]}")
    if (found := figure_format(out)) != (format or found):
        raise BenchError(f"--out {out} names a {found} and --format {format} was asked for")
    return out


def complete_number(incomplete: str) -> list[str]:
    """The tables of the paper."""
    from reports.published import NUMBERS

    return _matching((*NUMBERS, "all"), incomplete)


def _matching(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _complete_list(names: Iterable[str], incomplete: str) -> list[str]:
    """Completions of the last of several names between commas, with those before it."""
    before, comma, last = incomplete.rpartition(",")
    given = before.split(",")
    return [f"{before}{comma}{name}" for name in _matching(names, last) if name not in given]


FigureFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="The format of figures: png, svg or pdf.",
        show_default="by the suffix of the file, else png",
        autocompletion=complete_figure_format,
    ),
]
Model = Annotated[
    str | None,
    typer.Option(
        help="The system to run: a name of `bench list models`, or your own package.module:NAME.",
        show_default="acfoley; on mini clips acfoley-mini",
        autocompletion=complete_model,
    ),
]
Models = Annotated[
    str | None,
    typer.Option(
        help="The system to run: a name of `bench list models`, or your own package.module:NAME; "
        "several between commas, or all.",
        show_default="acfoley; on mini clips acfoley-mini",
        autocompletion=complete_models,
    ),
]
Metrics = Annotated[
    str | None,
    typer.Option(
        help="The columns to compute, between commas: `bench list metrics`.",
        show_default="all that can be computed here",
        autocompletion=complete_metrics,
    ),
]
Profile = Annotated[
    str,
    typer.Option(
        help="How columns are defined: av-benchmark as published numbers are computed, strict with "
        "known quirks repaired.",
        autocompletion=complete_profile,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Worker processes; 0 works in this one.",
        show_default="one per CPU core",
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        min=0.1,
        help="Seconds that one clip may take in a stage; then its worker is killed and it fails.",
        show_default="20 times what is expected, at least 120",
    ),
]
Names = Annotated[
    list[str] | None,
    typer.Argument(
        help="Names of `bench weights list`.",
        show_default="all; for fetch those of the judges",
        autocompletion=complete_weights,
    ),
]
WeightsFolder = Annotated[
    Path | None,
    typer.Option(
        "--weights", help="The folder of the checkpoints.", show_default="$BENCH_HOME/weights"
    ),
]
JudgeName = Annotated[
    str | None,
    typer.Option(
        help="The networks that score: paper (published), mini (small, built-in) or signal (none).",
        show_default="paper; on mini clips mini",
        autocompletion=complete_judge,
    ),
]
BatchSize = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Clips that a network of the judge computes at a time.",
        show_default="4 on a CPU, 16 on a GPU",
    ),
]
SplitName = Annotated[
    str | None,
    typer.Option(
        envvar="BENCH_SPLIT",
        help="The clips to run on: a name of `bench list splits`, or folder:PATH.",
        show_default="vggsound-ib0.3 where it is prepared, else mini",
        autocompletion=complete_split,
    ),
]
Device = Annotated[
    str,
    typer.Option(help="Where the system and the judge's networks run: cpu, cuda, cuda:1."),
]
JudgeDevice = Annotated[
    str | None,
    typer.Option(
        help="Where the judge's networks run, if not with the system.", show_default="--device"
    ),
]
Clap = Annotated[
    bool,
    typer.Option("--clap", help="Also compute the CLAP score: do audio and prompt agree?"),
]
Seed = Annotated[int, typer.Option(help="Seed of the run; every clip derives its own from it.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Run the first N clips only.")]
Only = Annotated[
    Path | None,
    typer.Option(help="Run only the clips that this file names, one a line."),
]
ClipNames = Annotated[
    list[str] | None,
    typer.Option("--clip", help="Run only the clip of this name; may be given several times."),
]
KeepSamples = Annotated[
    bool,
    typer.Option(
        "--keep-samples",
        help="Score existing samples that other code, weights or devices made; marks the run.",
    ),
]
Yes = Annotated[
    bool,
    typer.Option("--yes", help="Make such samples again without asking, however long that takes."),
]
VerifyBytes = Annotated[
    bool,
    typer.Option(
        "--verify-bytes",
        help="Read all media and samples again instead of trusting remembered checksums.",
    ),
]
Bounds = Annotated[
    bool | None,
    typer.Option(
        "--bounds/--no-bounds",
        envvar="BENCH_BOUNDS",
        help="Also print floor and ceiling: anchors on the same clips, computed once.",
        show_default="where cheap, up to 500 clips",
    ),
]
MinCoverage = Annotated[
    float,
    typer.Option(
        min=0.0, max=1.0, help="Exit with 1 where a smaller share of the clips has a score."
    ),
]
Mask = Annotated[
    str | None,
    typer.Option(
        help="Components that the system does without, between commas: audio, sync, video, text.",
        autocompletion=complete_mask,
    ),
]
MaskScope = Annotated[
    str,
    typer.Option(
        help="Mask a component as a whole, or only its pooled vector: whole, vector.",
        autocompletion=complete_scope,
    ),
]
ReferenceFrom = Annotated[
    str | None,
    typer.Option(
        help="Take references from the same-clip (the paper's protocol), another clip of the "
        "same-class, or one of an other-class.",
        show_default="those of the split",
        autocompletion=complete_origin,
    ),
]
Runs = Annotated[Path, typer.Option(help="The folder of all runs.", show_default=True)]
