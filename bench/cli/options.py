"""The options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[
    str | None,
    typer.Option(
        help="A system: `bench list models`, or module:NAME.",
        show_default="acfoley; on the mini world acfoley-mini",
    ),
]
Metrics = Annotated[
    str | None, typer.Option(help="Comma-separated columns; all that apply by default.")
]
Profile = Annotated[
    str, typer.Option(help="av-benchmark (as published numbers are made) or strict (repaired).")
]
Workers = Annotated[
    int | None, typer.Option(min=0, help="Worker processes; one per core by default, 0 for none.")
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
Names = Annotated[list[str] | None, typer.Argument(help="`bench weights list`; all by default.")]
WeightsFolder = Annotated[
    Path | None,
    typer.Option("--weights", help="Where they are.", show_default="$BENCH_HOME/weights"),
]
JudgeName = Annotated[
    str | None,
    typer.Option(help="signal, paper or mini; by default paper, on the mini world mini."),
]
BatchSize = Annotated[
    int | None, typer.Option(min=1, help="Clips that a network of the judge is given at a time.")
]
SplitName = Annotated[
    str | None,
    typer.Option(
        envvar="BENCH_SPLIT",
        help="A split: `bench list splits`.",
        show_default="vggsound-ib0.3 where it is prepared, else mini",
    ),
]
Device = Annotated[
    str, typer.Option(help="Where the system and the judge's networks run: cpu, cuda, cuda:1.")
]
JudgeDevice = Annotated[
    str | None,
    typer.Option(help="Where the judge's networks run instead.", show_default="--device"),
]
Clap = Annotated[
    bool, typer.Option("--clap", help="Also the CLAP score: do audio and prompt agree?")
]
Seed = Annotated[int, typer.Option(help="Seed of the run; each clip derives its own.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first N clips.")]
Only = Annotated[
    Path | None, typer.Option(help="A file with the names of the clips to run, one a line.")
]
ClipNames = Annotated[
    list[str] | None,
    typer.Option("--clip", help="The name of a clip to run; may be given several times."),
]
KeepSamples = Annotated[
    bool,
    typer.Option(
        "--keep-samples",
        help="Score samples that other code, weights or devices made, and mark the run.",
    ),
]
Yes = Annotated[
    bool, typer.Option("--yes", help="Make such samples again, however long that takes.")
]
VerifyBytes = Annotated[
    bool, typer.Option("--verify-bytes", help="Read all media and samples again, and trust none.")
]
Bounds = Annotated[
    bool | None,
    typer.Option(
        "--bounds/--no-bounds",
        envvar="BENCH_BOUNDS",
        help="Floor and ceiling: anchors on the same clips, once for all systems.",
        show_default="where cheap, up to 500 clips",
    ),
]
MinCoverage = Annotated[
    float,
    typer.Option(min=0.0, max=1.0, help="Share of the clips that must have a score: else exit 1."),
]
Mask = Annotated[
    str | None, typer.Option(help="What the system does without: audio, sync, video, text.")
]
MaskScope = Annotated[
    str, typer.Option(help="Mask the whole component, or only its pooled vector: whole, vector.")
]
Runs = Annotated[Path, typer.Option(help="Where runs are.", show_default=True)]
