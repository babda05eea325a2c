"""``reproduction.md``: differences of real clips, and what deviates from the paper."""

from __future__ import annotations

from dataclasses import replace

from reports.published import load_table
from reports.reproduction_page import PageFacts, write_page
from reports.reproductions import FoundRun, choose_runs
from tests.reports.test_paper_tables import make_run


def write(*runs, reasons=None):
    """The page of Table 5 on real clips, from these results."""
    made = choose_runs(load_table(5), "paper", [FoundRun(each) for each in runs])
    return write_page([made], PageFacts("bench reproduce 5", "1.0", reasons or {}))


def run_of(system="acfoley", value=50.0, **about):
    return make_run(system, value, split="vggsound-ib0.3", **about)


def test_every_number_is_beside_the_papers_with_its_difference_interval_and_n():
    page = write(run_of(clips="abc123"))
    # The paper has 56.00 and 0.465 s.
    assert "| Average (ours) | FD PaSST | 50.00 | 49.50 to 50.50 | 12 | 56.00 | -6.00 |" in page
    assert "| DeSync | 50.000 | 49.500 to 50.500 | 12 | 0.465 | +49.535 |" in page
    assert "| abc123 |" in page


def test_deviations_are_named_once_for_all_rows_that_share_them():
    about = {"notes": ("a *note* | of the run",), "seed": 7, "kept": 3, "failed": 1, "expected": 13}
    both = [run_of(**about), run_of("acfoley-attention-pooling", **about)]
    lost = replace(both[0], metrics={k: v for k, v in both[0].metrics.items() if k != "ib"})
    page = write(lost, both[1])
    for text in (
        "13 clips, the paper has 8,676",
        "1 of 13 clips have no score",
        "3 samples would be made otherwise now",
        "seed 7",
        "a \\*note\\* \\| of the run",
    ):
        assert page.count(f"- Attention-Based, Average (ours): {text}") == 1, text
    assert "- Average (ours): not scored: IB" in page


def test_missing_rows_have_the_long_reason_where_there_is_one():
    page = write(run_of(), reasons={(5, "Attention-Based"): "weights: acfoley fetch"})
    assert "- Attention-Based: no run: weights: acfoley fetch" in page
    assert "- Attention-Based: no run: not run" in write(run_of())
    assert "### Every number" not in write()
