"""The tables of docs/metrics.md that are data of the suite: ``python docs/site/columns.py``.

They stand between two comments, so that code hosts show them too; a test compares them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from bench.judges import JUDGES, open_judge
from bench.judges.paper import ROWS
from bench.suite import DEFAULT_PROFILE, PROFILES, Metric, select_computable

PAGE = Path(__file__).parents[1] / "metrics.md"
TABLES = re.compile(r"(?<=<!-- columns: begin -->\n).*(?=<!-- columns: end -->)", re.DOTALL)
SECTION = re.compile(r"^## (.+)\n\nColumns: (.+)\n", re.MULTILINE)
SIDES = {
    "target": "true audio",
    "reference": "reference audio",
    "hits": "annotated hits",
    "picture": "video",
    "prompt": "prompt",
}


def read_sections(page: str) -> dict[str, str]:
    """Return the heading of the section that explains a column, by the name of the column."""
    found = [(name, each) for each, names in SECTION.findall(page) for name in _names(names)]
    return {name: heading for name, heading in found}


def write_tables(page: str) -> str:
    """Return the page with both tables written anew."""
    sections = read_sections(page)
    what = ["column", "in tables", "unit", "better", "decimals", "value of", "compared with"]
    how = ["column", "length", "judges", "checkpoints", "extractors", "in `strict`"]
    rows = PROFILES[DEFAULT_PROFILE]
    tables = (
        _table(what, ([_link(row, sections), *_describe(row)] for row in rows)),
        _table(how, ([f"`{row.name}`", *_describe_making(row)] for row in rows)),
    )
    return TABLES.sub(lambda _: "\n" + "\n".join(tables) + "\n", page)


def _names(names: str) -> list[str]:
    return re.findall(r"`(\w+)`", names)


def _link(row: Metric, sections: dict[str, str]) -> str:
    return f"[`{row.name}`](#{sections[row.name].lower().replace(' ', '-')})"


def _describe(row: Metric) -> list[str]:
    value = "set" if row.score_set else "clip"
    true = "nothing" if row.ignores_truth else SIDES[row.against]
    label = row.label if row.is_extra else f"**{row.label}**"
    return [label, row.unit, row.better, str(row.decimals), value, true]


def _describe_making(row: Metric) -> list[str]:
    (strict,) = (each for each in PROFILES["strict"] if each.name == row.name)
    judges = [
        name for name in JUDGES if select_computable([row], open_judge(name, DEFAULT_PROFILE))
    ]
    reads = dict.fromkeys((*row.reads, *row.reads_of(row.against)))
    needed = [each for each in ROWS if each.name in reads]
    files = dict.fromkeys(name for each in needed for name in (each.network, *each.also))
    is_any = row.shortest_s == 0 and math.isinf(row.longest_s)
    return [
        "any" if is_any else row.accepted_lengths.removeprefix("clips of "),
        "all" if len(judges) == len(JUDGES) else ", ".join(judges),
        ", ".join(f"`{name}`" for name in files),
        _describe_score(row),
        "the same" if _describe_score(strict) == _describe_score(row) else _describe_score(strict),
    ]


def _describe_score(row: Metric) -> str:
    """What a column reads, and by which rules where they have a name."""
    reads = " and ".join(dict.fromkeys(f"`{name}`" for name in (*row.reads, *row.reads_of("true"))))
    mode = row.score.keywords.get("mode") if isinstance(row.score, partial) else None
    return f"{reads}, rules `{mode}`" if mode else reads


def _table(head: list[str], rows: Iterable[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


if __name__ == "__main__":
    PAGE.write_text(write_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
