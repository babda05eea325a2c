"""``bench study``: design a human study, export and analyse its votes, plan and simulate raters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.study_serve import serve

if TYPE_CHECKING:
    from bench.study.analyse import Analysis
    from bench.study.simulate import Truth

app = typer.Typer(help="Human studies of two or more systems.", no_args_is_help=True)

app.command()(serve)

Study = Annotated[Path, typer.Argument(help="The folder of the study.")]


@app.command()
def design(
    runs: Annotated[list[Path], typer.Argument(help="Two or more run directories, ours first.")],
    out: Annotated[Path, typer.Option(help="The folder to create.")] = Path("study"),
    videos: Annotated[int, typer.Option(min=2, help="How many clips, one of each class.")] = 16,
    per_rater: Annotated[
        int | None,
        typer.Option(min=1, help="Trials of a rater, beside the checks.", show_default="16"),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same design.")] = 0,
    clips: Annotated[
        Path | None, typer.Option(help="Take the clips that this file names, one a line.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="The split of the runs, where it is no name: folder:PATH.")
    ] = None,
    panel_id: Annotated[
        bool, typer.Option("--panel-id", help="Ask raters for their id in a panel.")
    ] = False,
) -> None:
    """Choose clips, freeze questions and rules in design.toml, and prepare blinded videos."""
    from bench.cli.console import console, notify, progress_bars, stop_cleanly
    from bench.study.create import StudyOptions, create_study

    options = StudyOptions(tuple(runs), out, videos, per_rater, seed, clips, panel_id, split)
    with stop_cleanly(is_resumed=False), progress_bars() as progress:
        created, notes = create_study(options, progress)
    printer = console()
    n_pairs = len(created.pairs)
    printer.print(
        f"{out}: {len(created.clips)} clips, {n_pairs} {'pair' if n_pairs == 1 else 'pairs'} of "
        "systems, "
        f"{created.per_rater} trials per rater, beside practice and checks"
    )
    printer.print(f"power: {created.power}")
    printer.print(
        f"design.toml has SHA-256 {created.digest[:12]}; edit it before the first session"
    )
    for note in notes:
        notify(f"note: {note}")


@app.command()
def export(
    study: Study,
    out: Annotated[
        Path | None, typer.Option(help="The file to write.", show_default="standard output")
    ] = None,
    comments: Annotated[
        bool, typer.Option("--comments", help="Write the comments of the raters instead.")
    ] = False,
    codes: Annotated[
        bool,
        typer.Option("--codes", help="Write panel ids and completion codes instead, for payment."),
    ] = False,
) -> None:
    """Write every answer as CSV, with systems instead of sides; no token, no panel id."""
    from bench.errors import BenchError
    from bench.io import atomic_path, require_target
    from bench.study.export import format_answers, format_codes, format_comments
    from bench.terminal import print_text

    if comments and codes:
        raise BenchError("--comments and --codes are two files: write one at a time")
    if out is not None:
        require_target(out)
    text = (format_comments if comments else format_codes if codes else format_answers)(study)
    if out is None:
        print_text(text)
        return
    with atomic_path(out) as temporary:
        temporary.write_text(text, encoding="utf-8")


@app.command()
def analyse(
    study: Study,
    json: Annotated[Path | None, typer.Option(help="Also write all numbers to this file.")] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Also draw a forest plot: .png, .svg or .pdf.")
    ] = None,
) -> None:
    """Print rates with intervals, strengths, agreement, Table 3, and which metrics agree."""
    from bench.cli.study_tables import print_analysis
    from bench.io import require_target, write_json
    from bench.study.analyse import analyse_study, to_json
    from bench.study.forest import plot_forest, require_figure
    from bench.study.table3 import describe_rows

    if json is not None:
        require_target(json)
    if figure is not None:
        require_target(require_figure(figure))
    found: Analysis = analyse_study(study, is_mixed=True)
    print_analysis(found)
    if json is not None:
        write_json(json, {**to_json(found), "table3": describe_rows(found)})
    if figure is not None:
        plot_forest(found, figure)


@app.command()
def power(
    effect: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="The win rate to tell from one half.")
    ] = 0.6,
    per_rater: Annotated[int, typer.Option(min=1, help="Votes of a rater.")] = 16,
    icc: Annotated[
        float, typer.Option(min=0.0, max=0.99, help="Correlation of two votes of a rater.")
    ] = 0.05,
    videos: Annotated[int, typer.Option(min=1, help="How many videos.")] = 16,
    video_icc: Annotated[
        float, typer.Option(min=0.0, max=0.99, help="Correlation of two votes on a video.")
    ] = 0.0,
    power: Annotated[
        float, typer.Option(min=0.051, max=0.999, help="The chance to find the effect.")
    ] = 0.8,
) -> None:
    """Print how many raters a pair of systems needs; the test is two-sided, at 5 %."""
    from bench.cli.study_tables import print_power
    from bench.errors import BenchError
    from bench.study.power import plan_raters

    try:
        plan = plan_raters(effect, per_rater, icc, power=power, videos=videos, video_icc=video_icc)
    except ValueError as error:
        raise BenchError(f"cannot plan this study: {error}") from error
    print_power(plan, effect, power, videos, video_icc)


@app.command()
def simulate(
    study: Study,
    raters: Annotated[int, typer.Option(min=1, help="How many raters.")] = 200,
    truth: Annotated[
        list[str] | None,
        typer.Option(
            help="QUESTION=WIN or QUESTION=WIN/TIE: how often a system is preferred to the next.",
            show_default="the paper's: fidelity=0.835, sync=0.611/0.218",
        ),
    ] = None,
    rater_share: Annotated[
        float, typer.Option(min=0.0, max=0.99, help="Share of the variance that raters have.")
    ] = 0.1,
    video_share: Annotated[
        float, typer.Option(min=0.0, max=0.99, help="Share of the variance that videos have.")
    ] = 0.1,
    careless: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of raters who answer at random.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="The same seed gives the same answers.")] = 0,
    url: Annotated[
        str, typer.Option(help="Answer over HTTP, where `bench study serve --simulated` serves.")
    ] = "",
) -> None:
    """Let raters with known preferences answer a study that has no session yet."""
    from bench.cli.console import notices, progress_bars, stop_cleanly
    from bench.study.simulate import PAPER_TRUTH, Raters, simulate_study

    known = _parse_truth(truth) if truth else PAPER_TRUTH
    asked = Raters(raters, rater_share, video_share, careless, seed)
    with stop_cleanly(is_resumed=False), progress_bars() as progress:
        n_votes = simulate_study(
            study, asked, known, lambda done, total: progress("raters", done, total), url
        )
    notices().print(f"{n_votes} votes of {raters} simulated raters in {study}")


def _parse_truth(options: list[str]) -> dict[str, Truth]:
    from bench.errors import BenchError
    from bench.study.simulate import Truth

    found = {}
    for option in options:
        name, _, rates = option.partition("=")
        win, _, tie = rates.partition("/")
        try:
            found[name] = Truth(float(win), float(tie or 0))
        except ValueError as error:
            raise BenchError(
                f"cannot read --truth {option}: write QUESTION=WIN or QUESTION=WIN/TIE, as "
                "sync=0.61/0.22"
            ) from error
    return found
