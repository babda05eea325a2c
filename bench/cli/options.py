"""The options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.completion import (
    complete_figure_format,
    complete_judge,
    complete_mask,
    complete_metrics,
    complete_model,
    complete_models,
    complete_origin,
    complete_profile,
    complete_scope,
    complete_split,
    complete_weights,
)


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
