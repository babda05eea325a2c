"""Write the page: tables and texts as HTML, scores, clips and failures as scripts."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from bench.io import atomic_path, read_json, write_script
from bench.results import Failure, Results, load_bounds
from reports.fairness import FAIRNESS_HEADINGS, NONE, fairness_cells, is_declared
from reports.formats import tables
from reports.html import table_lines
from reports.page.scores import PageRun, PageScores, Values
from reports.tables import Table, heading, with_bounds

HERE = Path(__file__).parent
COPIED = ("page.js", "charts.js", "player.js", "page.css")
#: Significant digits of a score: more than any page shows.
DIGITS = 6
RANK_LABEL = "Mean rank (0 best, 100 worst)"


@dataclass(frozen=True)
class PageInputs:
    """What the page has besides scores: prompts by clip, the scripts of clips with media.

    ``media_failures`` are the clips whose media could not be made, with the reason, and
    ``media_note`` is a sentence on which clips have media.
    """

    prompts: Mapping[str, str]
    media: Mapping[str, str]
    media_failures: Mapping[str, str]
    media_note: str


def write_page(out: Path, scores: PageScores, inputs: PageInputs) -> Path:
    """Write the page of these runs into the folder ``out``; return the file to open."""
    failures = [(run.label, each) for run in scores.runs for each in _read_failures(run)]
    _write_data(out / "data", scores, inputs, failures)
    for name in COPIED:
        with atomic_path(out / name) as temporary:
            shutil.copyfile(HERE / name, temporary)
    first = scores.runs[0].results
    world = ", mini world" if first.is_mini else ""
    judge = f"judge {first.judge}, profile {first.profile}, suite version {first.suite_version}"
    values = {
        "title": f"Foley on {first.split}",
        "about": f"{len(scores.clips):,} clips, {len(scores.runs)} runs; {judge}{world}.",
        "media_note": inputs.media_note,
        "failure_note": f"{len(failures):,} failures." if failures else "No clip failed.",
    }
    html = {
        "tables": "\n".join(_draw_tables(scores.runs)),
        "fairness": _draw_fairness(scores.runs),
        "provenance": "\n".join(map(_draw_provenance, scores.runs)),
    }
    template = Template((HERE / "template.html").read_text(encoding="utf-8"))
    text = template.substitute({name: escape(value) for name, value in values.items()} | html)
    with atomic_path(out / "index.html") as temporary:
        # A name on disk may hold bytes that are no text.
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    return out / "index.html"


def _read_failures(run: PageRun) -> list[Failure]:
    path = run.directory / "failures.jsonl"
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Failure(**{**json.loads(line), "traceback": ""}) for line in lines if line]


def _write_data(
    data: Path, scores: PageScores, inputs: PageInputs, failures: Sequence[tuple[str, Failure]]
) -> None:
    columns = [
        {"label": heading(each), "better": each.better, "decimals": each.decimals}
        for each in scores.columns
    ]
    ranked = {"label": RANK_LABEL, "better": "lower", "decimals": 1}
    runs = [{"label": run.label, "anchor": run.results.is_anchor} for run in scores.runs]
    position = {name: i for i, name in enumerate(scores.clips)}
    clips = {
        "names": scores.clips,
        "prompts": [inputs.prompts.get(name, "") for name in scores.clips],
        "axes": {axis: _encode(groups) for axis, groups in scores.axes.items()},
        "media": {position[name]: path for name, path in inputs.media.items()},
        "media_failures": {position[name]: why for name, why in inputs.media_failures.items()},
    }
    write_script(data / "clips.js", "clips", clips)
    for i, values in enumerate(
        (scores.rank, *(scores.values[each.name] for each in scores.columns))
    ):
        write_script(data / "scores" / f"{i}.js", f"scores {i}", _shorten(values))
    rows = [(label, each.clip, each.stage, each.error) for label, each in failures]
    write_script(data / "failures.js", "failures", rows)
    about = {"runs": runs, "metrics": [ranked, *columns], "n_failures": len(rows)}
    write_script(data / "report.js", "report", about)


def _encode(groups: Sequence[str]) -> dict[str, Any]:
    """Names of groups once, and the number of its group for each clip."""
    names = sorted(set(groups))
    numbers = {name: i for i, name in enumerate(names)}
    return {"names": names, "of": [numbers[group] for group in groups]}


def _shorten(values: Values) -> list[list[float | None]]:
    return [
        [float(f"{each:.{DIGITS}g}") if np.isfinite(each) else None for each in row.tolist()]
        for row in values
    ]


def _draw_tables(runs: Sequence[PageRun]) -> Iterator[str]:
    """The tables of the paper's columns; those of all columns folded below."""
    results = [run.results for run in runs]
    below: list[Results] = [each for run in runs for each in load_bounds(run.directory)]
    together = with_bounds(results, below)
    main, *others = tables(together, extras=False)
    yield _draw_table(main, has_notes=True)
    for title, some in (
        ("By group of clips", others),
        ("All columns", tables(together, extras=True)[:1]),
    ):
        if some:
            drawn = "\n".join(_draw_table(each, has_notes=False) for each in some)
            yield f"<details><summary>{title}</summary>\n{drawn}\n</details>"


def _draw_table(table: Table, *, has_notes: bool) -> str:
    label = escape(f"Scores: {table.title}")
    notes = [f'<p class="note">{escape(note)}</p>' for note in table.footnotes if has_notes]
    opening = f'<div class="scroll" tabindex="0" role="group" aria-label="{label}">'
    return "\n".join([opening, *table_lines(table), "</div>", *notes])


def _draw_fairness(runs: Sequence[PageRun]) -> str:
    """A table of what each system declares."""
    titles = "".join(f'<th scope="col">{text}</th>' for text in FAIRNESS_HEADINGS)
    rows = []
    for run in runs:
        words = {"True": "yes", "False": "no", "": NONE}
        cells = fairness_cells(run.results) if is_declared(run.results.fairness) else []
        texts = [words.get(str(each), str(each)) for each in cells]
        texts += ["not declared"] * (len(FAIRNESS_HEADINGS) - len(texts))
        drawn = "".join(f"<td>{escape(text)}</td>" for text in texts)
        rows.append(f'<tr><th scope="row">{escape(run.label)}</th>{drawn}</tr>')
    head = f'<thead><tr><th scope="col">system</th>{titles}</tr></thead>'
    opening = '<div class="scroll" tabindex="0" role="group" aria-label="Fairness by system">'
    return f'{opening}<table class="text">{head}<tbody>{"".join(rows)}</tbody></table></div>'


def _draw_provenance(run: PageRun) -> str:
    """What made the samples of a run and what scored them, folded."""
    path = run.directory / "provenance.json"
    about = {
        "samples": list(run.results.made_by),
        "scores": read_json(path) if path.is_file() else "not recorded",
        "clips": {name: getattr(run.results, name) for name in ("expected", "scored", "failed")},
        "seed": run.results.seed,
        "condition": run.results.condition,
    }
    text = escape(json.dumps(about, indent=2, ensure_ascii=False))
    label = escape(run.label)
    box = f'<pre tabindex="0" role="group" aria-label="Provenance of {label}">{text}</pre>'
    return f"<details><summary>{label}</summary>{box}</details>"
