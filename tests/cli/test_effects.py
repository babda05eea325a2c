"""``bench effects``: the runs that a claim reads, and the commands printed for missing ones."""

from __future__ import annotations

import pytest

from bench.cli.pages import effects as write_page
from bench.errors import RunError
from bench.results import Column, Results, Score, write_results, write_rows
from bench.suite import select

MCD = Column("mcd", "MCD", "lower", 2, "dB")
COLUMNS = select("av-benchmark", ["mcd", "mcd_ref"])
LATENTS_BEAT_SEMANTICS = "| Latents beat semantics (Table 1) |"


@pytest.fixture
def write(tmp_path):
    """Write a finished run of eight clips to disk."""

    def call(system: str, value: float, split="mini", condition="full", seed=42, judge="mini"):
        folder = tmp_path / "runs" / f"{system}-{split}-{condition}-{seed}-{judge}"
        about = (system, split, condition, seed, judge, "av-benchmark", 1, True, False, 8, 8, 0)
        columns = tuple(map(Column.of, COLUMNS))
        scores = dict.fromkeys(("mcd", "mcd_ref"), Score(value, value, value, 8))
        write_results(folder, Results(*about, columns, scores))
        rows = [
            {"clip": f"{i}", "group": "ab"[i % 2].replace("a", "ref_a"), "mcd": value + 0.01 * i,
             "mcd_ref": value + i % 2}
            for i in range(8)
        ]  # fmt: skip
        write_rows(folder / "scores.parquet", rows, COLUMNS)
        return folder

    return call


def page(tmp_path) -> str:
    write_page(tmp_path / "runs", 42, tmp_path / "effects.md")
    return (tmp_path / "effects.md").read_text()


def line(text: str, start: str) -> str:
    return next(each for each in text.splitlines() if each.startswith(start))


def test_a_claim_has_a_verdict_if_its_runs_exist_and_otherwise_the_commands_that_make_them(
    write, tmp_path, monkeypatch, capsys
):
    from reports import effects

    only = tuple(claim for claim in effects.CLAIMS if set(claim.metrics) <= {"mcd", "mcd_ref"})
    monkeypatch.setattr(effects, "CLAIMS", only)
    write("acfoley-mini", 1.0)
    write("acfoley-mini-clap-encoder", 2.0)
    write("acfoley-mini-clap-encoder", 9.0, seed=7)
    write("acfoley-mini-clap-encoder", 9.0, judge="signal")
    text = page(tmp_path)
    assert "| 2.03 [" in line(text, LATENTS_BEAT_SEMANTICS)
    assert line(text, LATENTS_BEAT_SEMANTICS).endswith("| clear | **holds** |")
    missing = line(text, "| Masking audio raises MCD")
    assert "not run: `bench run --model acfoley-mini --split mini --mask audio` |" in missing
    assert capsys.readouterr().out == "1 holds, 6 not run\n"
    assert page(tmp_path) == text


def test_the_claims_of_one_group_of_clips_can_be_selected(write, tmp_path, monkeypatch):
    from reports import effects

    monkeypatch.setattr(effects, "CLAIMS", tuple(c for c in effects.CLAIMS if c.group == "ref_a"))
    write("acfoley-mini", 1.0, split="mini-references")
    write("acfoley-mini", 2.0, split="mini-references", condition="no-audio")
    row = line(page(tmp_path), "| ref_a is followed (Table 7) |")
    assert "| 4 | 2.00 [2.00, 2.00] | 1.00 [1.00, 1.00] | -1.00 [-1.00, -1.00] |" in row


def test_two_runs_of_one_name_are_refused(write, tmp_path):
    folder = write("acfoley-mini", 1.0)
    folder.rename(folder.with_name("elsewhere"))
    write("acfoley-mini", 2.0)
    with pytest.raises(RunError, match="are both acfoley-mini on mini: name a folder"):
        page(tmp_path)
