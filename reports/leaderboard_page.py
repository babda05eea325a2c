"""Boards as one HTML page: works from file://, loads nothing, and every text is escaped.

A small script sorts a table by a column; without it the page says the same.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from html import escape

from bench.results import Column, Fairness, Results, Score
from bench.verification import MEANING
from reports.fairness import NONE, is_declared
from reports.leaderboard import Board, Entry
from reports.rank_intervals import RankInterval
from reports.tables import heading

STYLE = """
:root { color-scheme: light dark; --line: #c9ced6; --soft: #5a6372; --back: #ffffff;
  --text: #14181f; --best: #e2f3e6; --good: #146c33; --bad: #a3211c; --head: #f2f4f7; }
@media (prefers-color-scheme: dark) { :root { --line: #3b424d; --soft: #a8b0bd; --back: #12151a;
  --text: #e8ebf0; --best: #17402a; --good: #6fd492; --bad: #ff8f86; --head: #1c2128; } }
* { box-sizing: border-box; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; padding: 1.2rem;
  color: var(--text); background: var(--back); }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; overflow-wrap: anywhere; }
p { margin: .3rem 0; max-width: 75ch; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; }
.scroll:focus-visible, button:focus-visible, summary:focus-visible, a:focus-visible {
  outline: 2px solid currentColor; outline-offset: 2px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding: .4rem .6rem; color: var(--soft); font-size: .87rem; }
caption span { display: inline-block; position: sticky; left: .6rem;
  max-width: calc(100vw - 4rem); }
th, td { padding: .4rem .6rem; text-align: right; vertical-align: top;
  border-top: 1px solid var(--line); }
thead th { background: var(--head); white-space: nowrap; vertical-align: bottom; }
th.text, td.text { text-align: left; }
tbody th { position: sticky; left: 0; background: var(--back); text-align: left; font-weight: 600;
  min-width: 15rem; max-width: 19rem; overflow-wrap: anywhere; z-index: 1; }
thead th:first-child { position: sticky; left: 0; text-align: left; z-index: 1; }
td { white-space: nowrap; }
td.wide { white-space: normal; min-width: 13rem; }
small { display: block; color: var(--soft); font-size: .8rem; font-weight: 400; }
.best { background: var(--best); font-weight: 700; }
.anchor th, .anchor td { color: var(--soft); font-style: italic; font-weight: 400; }
.verified { color: var(--good); font-weight: 600; }
.rejected { color: var(--bad); font-weight: 600; }
button { font: inherit; font-weight: 600; color: inherit; background: none; border: 0; padding: 0;
  cursor: pointer; }
[aria-sort=ascending] button::after { content: " \\25b2"; }
[aria-sort=descending] button::after { content: " \\25bc"; }
ul.notes { padding-left: 1.2rem; font-size: .87rem; color: var(--soft); }
ul.notes li { max-width: 100ch; overflow-wrap: anywhere; }
details { font-size: .8rem; font-weight: 400; color: var(--soft); }
details p { white-space: normal; overflow-wrap: anywhere; }
summary { cursor: pointer; }
@media (max-width: 40rem) { body { padding: .6rem; } th, td { padding: .3rem .4rem; }
  tbody th { min-width: 8.5rem; max-width: 9.5rem; } }
"""

SCRIPT = """
document.querySelectorAll("table").forEach(function (table) {
  var body = table.tBodies[0];
  table.querySelectorAll("thead th").forEach(function (head, index) {
    var button = document.createElement("button");
    button.type = "button";
    while (head.firstChild) { button.appendChild(head.firstChild); }
    head.appendChild(button);
    button.addEventListener("click", function () {
      var isDown = head.getAttribute("aria-sort") === "ascending";
      table.querySelectorAll("[aria-sort]").forEach(function (each) {
        each.removeAttribute("aria-sort");
      });
      head.setAttribute("aria-sort", isDown ? "descending" : "ascending");
      var rows = Array.prototype.slice.call(body.rows);
      rows.sort(function (a, b) {
        var x = a.cells[index].dataset.value, y = b.cells[index].dataset.value;
        if (x === "" || y === "") { return (x === "") - (y === ""); }
        var gap = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
        return isDown ? -gap : gap;
      });
      rows.forEach(function (row) { body.appendChild(row); });
    });
  });
});
"""

#: After a number of a column whose network took part in making the system.
SEEN = "‡"


def as_page(boards: Sequence[Board], title: str = "Leaderboard") -> str:
    """A page of these boards in their order."""
    hashes = {name: _hash(text) for name, text in (("style", STYLE), ("script", SCRIPT))}
    policy = "; ".join(
        ["default-src 'none'", *(f"{name}-src 'sha256-{each}'" for name, each in hashes.items())]
    )
    lines = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        "</head>",
        "<body>",
        "<main>",
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(MEANING[0].upper() + MEANING[1:])}.</p>",
        "<p>Boards never share numbers: each has one protocol, split, judge, profile and version "
        f"of the suite. {SEEN} marks numbers of a network that took part in making the system.</p>",
        *(line for number, board in enumerate(boards, 1) for line in _board(board, number)),
        "</main>",
        f"<script>{SCRIPT}</script>",
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _board(board: Board, number: int) -> Iterator[str]:
    has_ranks = any(ranks.mean for ranks in board.ranks)
    heads = ["System", "Check", *(["Mean rank"] if has_ranks else []), "Clips"]
    name, part = f"board-{number}", _common_part(board)
    yield "<section>"
    yield f'<h2 id="{name}">{escape(board.title)}</h2>'
    # A region that scrolls has to be reached by the keyboard, and to have a name.
    yield f'<div class="scroll" role="region" tabindex="0" aria-labelledby="{name}">'
    yield "<table>"
    yield (
        "<caption><span>In brackets 95 % intervals; the best of each column is bold, an arrow "
        f"shows the better direction{f'; {escape(part)}' if part else ''}.</span></caption>"
    )
    texts = [
        *(f'<th scope="col" class="text">{escape(text)}</th>' for text in heads[:2]),
        *(f'<th scope="col">{escape(text)}</th>' for text in heads[2:]),
        *(f'<th scope="col">{escape(heading(column))}</th>' for column in board.columns),
    ]
    yield f"<thead><tr>{''.join(texts)}</tr></thead>"
    yield "<tbody>"
    for i in range(len(board.entries)):
        yield _row(board, i, has_ranks=has_ranks)
    yield "</tbody></table></div>"
    notes = "".join(f"<li>{escape(note)}</li>" for note in board.notes)
    yield f'<ul class="notes">{notes}</ul>'
    yield "</section>"


def _row(board: Board, i: int, *, has_ranks: bool) -> str:
    entry, label = board.entries[i], board.labels[i]
    results, ranks = entry.results, board.ranks[i]
    kind = ' class="anchor"' if results.is_anchor else ""
    # In the cell that stays while the numbers scroll: what they mean depends on it.
    about = f"{escape(label)}{_fairness(entry)}{_provenance(entry)}"
    cells = [f'<th scope="row" data-value="{escape(label)}">{about}</th>', _check_cell(entry)]
    if has_ranks:
        cells.append(_rank_cell(ranks.mean))
    share = f"{results.scored:,} of {results.expected:,}"
    part = _part(results)
    small = f"<small>{escape(part)}</small>" if part not in ("", _common_part(board)) else ""
    cells.append(f'<td data-value="{results.scored}">{share}{small}</td>')
    seen = _seen_columns(results.fairness)
    for column in board.columns:
        is_best = column.name in board.best[i]
        score, place = results.metrics.get(column.name), ranks.by_column.get(column.name)
        cells.append(_score_cell(score, column, place, is_best=is_best, how=seen.get(column.name)))
    return f"<tr{kind}>{''.join(cells)}</tr>"


def _part(results: Results) -> str:
    """The note of a run over a part of the clips, which part that is."""
    return next((note for note in results.notes if note.startswith("only ")), "")


def _common_part(board: Board) -> str:
    """What all runs that compete were limited to, which is said once; "" if they differ."""
    parts = {_part(each.results) for each in board.entries if not each.results.is_anchor}
    return parts.pop() if len(parts) == 1 else ""


def _check_cell(entry: Entry) -> str:
    kind = {"verified": "verified", "not verified": "rejected"}.get(entry.status, "")
    found = entry.verification
    details = [entry.date] if entry.date else []
    if found and found.is_verified:
        details.append(f"{len(found.sampled)} clips extracted again")
        if found.regenerated:
            details.append(f"{len(found.regenerated)} generated again")
    elif found:
        n = len(found.problems)
        details.append(f"{n} {'problem' if n == 1 else 'problems, first'}: {found.problems[0]}")
    small = "".join(f"<small>{escape(text)}</small>" for text in details)
    text = f'<span class="{kind}">{entry.status}</span>{small}'
    width = " wide" if kind == "rejected" else ""
    value = escape(f"{entry.status} {entry.date}")
    return f'<td class="text{width}" data-value="{value}">{text}</td>'


def _rank_cell(rank: RankInterval | None) -> str:
    if rank is None:
        return '<td data-value="">–</td>'
    return f'<td data-value="{rank.value}">{_rank_text(rank)}</td>'


def _rank_text(rank: RankInterval) -> str:
    return f"{rank.value:.1f}<small>[{rank.low:.1f}, {rank.high:.1f}]</small>"


def _score_cell(
    score: Score | None,
    column: Column,
    place: RankInterval | None,
    *,
    is_best: bool,
    how: str | None,
) -> str:
    if score is None or score.value is None:
        reason = f"<small>{escape(score.reason)}</small>" if score and score.reason else ""
        return f'<td data-value="">–{reason}</td>'
    text = f"{score.value:.{column.decimals}f}"
    if how:
        text += f'<abbr title="{escape(how)}">{SEEN}</abbr>'
    details = []
    if score.low is not None and score.high is not None:
        details.append(f"[{score.low:.{column.decimals}f}, {score.high:.{column.decimals}f}]")
    details.append(f"n {score.n:,}")
    if score.chance is not None:
        details.append(f"chance {score.chance:.{column.decimals}f}")
    if place:
        details.append(f"rank {place.value:.3g} [{place.low:.3g}, {place.high:.3g}]")
    small = "".join(f"<small>{escape(each)}</small>" for each in details)
    kind = ' class="best"' if is_best else ""
    return f'<td{kind} data-value="{score.value!r}">{text}{small}</td>'


def _seen_columns(fairness: Fairness | None) -> dict[str, str]:
    """What to say of each column whose network the system has seen."""
    return {
        column: f"{seen.network} took part in making this system: {seen.how}"
        for seen in (fairness.judges_seen if fairness else ())
        for column in seen.columns
    }


def _fairness(entry: Entry) -> str:
    facts = entry.results.fairness
    if entry.results.is_anchor:
        return "<small>an anchor: marks a bound, does not compete</small>"
    if facts is None or not is_declared(facts):
        return "<small>fairness not declared</small>"
    seen = [f"{each.network} ({each.how})" for each in facts.judges_seen]
    sentences = [
        f"given: {', '.join(facts.given) or NONE}",
        f"trained on: {', '.join(facts.trained_on) or NONE}",
        f"judges seen: {', '.join(seen) or NONE}",
        *([f"best of {facts.candidates} candidates"] if facts.candidates > 1 else []),
        *(["not for commercial use"] if facts.non_commercial else []),
    ]
    return "".join(f"<small>{escape(each)}</small>" for each in sentences)


def _provenance(entry: Entry) -> str:
    facts, results = entry.provenance, entry.results
    made = [_origin(each) for each in results.made_by] or ["what made the samples is not known"]
    names = {"foley_bench": "foley-bench", "commit": "commit", "judge_device": "judge on"}
    by = [f"{text} {facts[key]}" for key, text in names.items() if facts.get(key)]
    created = f", {str(facts['created'])[:10]}" if facts.get("created") else ""
    sentences = [*made, f"scored by {', '.join(by) or 'not known'}{created}"]
    if results.kept:
        sentences.append(f"{results.kept} samples are kept that would be made otherwise now")
    lines = "".join(f"<p>{escape(each)}</p>" for each in sentences)
    return f"<details><summary>provenance</summary>{lines}</details>"


def _origin(made: object) -> str:
    facts = made if isinstance(made, dict) else {}
    weights = facts.get("weights") or {}
    files = [f"{name} {str(digest)[:12]}" for name, digest in weights.items()]
    parts = [
        f"version {facts.get('version', 'not known')}",
        f"{facts.get('samples', '?')} samples",
        f"code {str(facts.get('code', ''))[:12]}",
        f"on {facts.get('device', '?')} {facts.get('dtype', '')}".strip(),
        *([f"weights {'; '.join(files)}"] if files else []),
    ]
    return ", ".join(parts)
