"""``reproduction.md``: every number beside the paper's, where it comes from, and what deviates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.results import Results, Score
from reports.formats import as_markdown, markdown_escape
from reports.paper_tables import build_paper_table
from reports.published import PublishedColumn, PublishedRow
from reports.reproductions import (
    NOT_SCORED,
    USUAL_SEED,
    Reproduction,
    difference,
    score_of_column,
)

INTRODUCTION = """\
Ours are numbers of runs on this machine, the paper's are published. An interval holds 95 %, n is
the number of scored clips, in Table 3 of votes, and the clip list is a hash of their names: equal
for the same clips. The paper publishes neither intervals (but in Table 3) nor its list of clips.
"""

MINI_STUDY = (
    "mini world: rendered clips, small systems; no number is comparable with a published one"
)
SIMULATED_STUDY = (
    "simulated raters: nobody watched a video, so that the numbers rehearse the study and state "
    "nothing about the systems"
)
MINI_WORLD = (
    "mini world: rendered clips, small systems, and small networks that score them; no number is "
    "comparable with a published one"
)


@dataclass(frozen=True)
class PageFacts:
    """What a page says beside its tables: the command that wrote it, and the version.

    ``reasons`` say at length why rows have no run, by the number of the table and the label of the
    row.
    """

    command: str
    version: str
    reasons: Mapping[tuple[int, str], str]


def write_page(tables: Sequence[Reproduction], facts: PageFacts) -> str:
    """Return the page of these tables, in Markdown."""
    names = ", ".join(str(made.table.number) for made in tables)
    title = f"# Reproduction of {'Tables' if len(tables) > 1 else 'Table'} {names}"
    parts = [
        f"{title}\n\n`{facts.command}`, foley-bench {facts.version}\n",
        INTRODUCTION,
        *(_write_table(made, facts) for made in tables),
    ]
    return "\n".join(parts)


def _write_table(made: Reproduction, facts: PageFacts) -> str:
    lines = [
        f"## Table {made.table.number}",
        "",
        as_markdown(build_paper_table(made, with_paper=True)),
        "",
    ]
    if made.runs:
        lines += ["### Every number", "", *_number_lines(made), ""]
        if not made.table.is_study:  # whose notes below the table name its runs
            lines += ["### Runs", "", *_run_lines(made), ""]
    lines += ["### Deviations and what is missing", ""]
    lines += [f"- {markdown_escape(text)}" for text in _deviations(made, facts)]
    return "\n".join([*lines, ""])


def _rows_with_runs(made: Reproduction) -> Iterator[tuple[PublishedRow, Results]]:
    for row in made.table.rows:
        if (results := made.results(row)) is not None:
            yield row, results


def _number_lines(made: Reproduction) -> Iterator[str]:
    yield "| row | column | ours | 95 % interval | n | paper | difference |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: |"
    for row, results in _rows_with_runs(made):
        for column in made.table.columns:
            name = column.label
            if sum(each.label == name for each in made.table.columns) > 1:
                name = f"{column.heading}: {name}"
            yield _line(row.label, name, *_number_cells(row, results, column))


def _number_cells(row: PublishedRow, results: Results, column: PublishedColumn) -> list[str]:
    """Ours, its interval, n, the paper's and the difference."""
    score = score_of_column(results, column) or Score(None, None, None, 0)

    def write(value: float | None, sign: str = "") -> str:
        # Adding 0 turns a negative zero, as -0.001 rounds to, into zero.
        rounded = None if value is None else round(value, column.decimals) + 0.0
        return "" if rounded is None else f"{rounded:{sign}.{column.decimals}f}"

    interval = "" if score.low is None else f"{write(score.low)} to {write(score.high)}"
    return [
        write(score.value) or NOT_SCORED,
        interval,
        str(score.n),
        write(row.values.get(column.name)),
        write(difference(results, row, column), "+"),
    ]


def _run_lines(made: Reproduction) -> Iterator[str]:
    yield (
        "| row | system | split | condition | seed | clips scored | clip list | judge | suite | "
        "protocol | made on |"
    )
    yield "| --- | --- | --- | --- | ---: | ---: | --- | --- | ---: | ---: | --- |"
    for row, results in _rows_with_runs(made):
        made_on = ", ".join(dict.fromkeys(_describe_origin(each) for each in results.made_by))
        yield _line(
            row.label,
            results.system,
            results.split,
            results.condition,
            str(results.seed),
            f"{results.scored:,} of {results.expected:,}",
            results.clips,
            f"{results.judge}, {results.profile}",
            str(results.suite_version),
            str(results.protocol_version),
            made_on,
        )


def _describe_origin(made_by: Mapping[str, object]) -> str:
    return f"{made_by.get('device', '')} {made_by.get('dtype', '')}".strip()


def _line(*cells: str) -> str:
    return f"| {' | '.join(map(markdown_escape, cells))} |"


def _deviations(made: Reproduction, facts: PageFacts) -> list[str]:
    """What the numbers differ by from what the paper did, once for all rows that share it."""
    labels: dict[str, list[str]] = {}
    for label, text in _list_deviations(made, facts):
        labels.setdefault(text, []).append(label)
    return [f"{', '.join(names)}: {text}" for text, names in labels.items()] or ["none"]


def _list_deviations(made: Reproduction, facts: PageFacts) -> Iterator[tuple[str, str]]:
    """What deviates, with the row or "all rows"."""
    if made.world == "mini":
        yield "all rows", MINI_STUDY if made.table.is_study else MINI_WORLD
    if made.is_simulated:
        yield "all rows", SIMULATED_STUDY
    for row in made.table.rows:
        results = made.results(row)
        if results is None:
            reason = facts.reasons.get((made.table.number, row.label), made.reasons[row.label])
            yield row.label, f"no {'study' if made.table.is_study else 'run'}: {reason}"
        elif not made.table.is_study:
            for text in _deviations_of_run(made, row, results):
                yield row.label, text


def _deviations_of_run(made: Reproduction, row: PublishedRow, results: Results) -> Iterator[str]:
    n_clips = made.declared(row).n_clips
    if results.expected != n_clips and made.world == "paper":
        yield f"{results.expected:,} clips, the paper has {n_clips:,}"
    if results.failed:
        yield f"{results.failed:,} of {results.expected:,} clips have no score"
    if results.kept:
        yield f"{results.kept:,} samples would be made otherwise now"
    if results.seed != USUAL_SEED:
        yield f"seed {results.seed}"
    scores = {column.label: score_of_column(results, column) for column in made.table.columns}
    lost = [label for label, score in scores.items() if score is None or score.value is None]
    if lost:
        yield f"not scored: {', '.join(lost)}"
    yield from results.notes  # a part of the split among them
