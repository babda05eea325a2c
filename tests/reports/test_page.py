"""The report page: its data, the choice of clips, and data that look like HTML."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.errors import BenchError, RunError
from bench.io import write_script
from bench.results import Failure, Fairness, write_failures
from reports.page import PageInputs, choose_clips, load_scores, write_page
from tests.pipeline.finished import write_run

NOTHING = PageInputs({}, {}, {}, "")
EVIL = """</script><img src=x onerror="alert('1')">&amp;"""


def read_script(path: Path) -> tuple[str, object]:
    """What a script of data calls ``report.add`` with."""
    text = path.read_text("ascii")
    comment, call = text.splitlines()
    assert comment.startswith("//")
    name, value = json.loads("[" + call.removeprefix("report.add(").removesuffix(");") + "]")
    return name, value


def two_runs(folder: Path, **about: object) -> list[Path]:
    """Clips a, b, c, d; in the second run b is missing, and d is where the runs differ most."""
    first = write_run(
        folder / "first",
        {"mcd": [1.0, 2.0, 9.0, 3.0], "onset_acc": [0.9, 0.5, 0.1, 0.8]},
        names=["a", "b", "c", "d"],
        system="first",
    )
    second = write_run(
        folder / "second",
        {"mcd": [1.5, 8.5, 8.0], "onset_acc": [0.8, 0.2, np.nan]},
        names=["a", "c", "d"],
        system="second",
        **about,
    )
    return [first, second]


def test_scores_are_aligned_by_the_name_of_the_clip(tmp_path):
    scores = load_scores(two_runs(tmp_path))
    assert scores.clips == ("a", "b", "c", "d")
    assert [run.label for run in scores.runs] == ["first", "second"]
    np.testing.assert_array_equal(scores.values["mcd"], [[1, 2, 9, 3], [1.5, np.nan, 8.5, 8]])
    assert scores.rank[0, 0] == 0
    assert scores.rank[0, 2] == 100
    assert np.isnan(scores.rank[1, 1])


def test_clips_are_in_turn_the_worst_the_best_and_the_most_different(tmp_path):
    scores = load_scores(two_runs(tmp_path))
    assert choose_clips(scores, 3) == ["c", "a", "d"]
    assert sorted(choose_clips(scores, 99)) == ["a", "b", "c", "d"]
    assert choose_clips(scores, 0) == []


def test_anchors_do_not_choose_clips_unless_there_is_nothing_else(tmp_path):
    runs = two_runs(tmp_path, is_anchor=True)
    assert choose_clips(load_scores(runs), 2) == ["c", "a"]
    assert choose_clips(load_scores(runs[1:]), 1) == ["c"]


def test_a_run_that_scored_no_clip_by_itself_has_a_page(tmp_path):
    run = write_run(tmp_path / "run", {"other": [1.0, 2.0]}, of_set={"fd_vgg": 3.0})
    scores = load_scores([run])
    assert scores.values == {}
    assert len(choose_clips(scores, 9)) == 2
    assert write_page(tmp_path / "out", scores, NOTHING).is_file()


def test_runs_that_cannot_share_a_table_are_refused(tmp_path):
    with pytest.raises(BenchError, match="first and .*second cannot share a page: judge 'mini'"):
        load_scores(two_runs(tmp_path, judge="paper"))


def test_runs_of_one_label_are_numbered_and_one_named_twice_counts_once(tmp_path):
    runs = two_runs(tmp_path, seed=42)
    again = write_run(tmp_path / "again", {"mcd": [1.0]}, names=["a"], system="first")
    scores = load_scores([runs[0], again, runs[0]])
    assert [run.label for run in scores.runs] == ["first, seed 42", "first, seed 42 (2)"]


def test_a_clip_in_several_rows_is_refused(tmp_path):
    run = two_runs(tmp_path)[0]
    rows = pd.read_parquet(run / "scores.parquet")
    pd.concat([rows, rows]).to_parquet(run / "scores.parquet")
    with pytest.raises(RunError, match="has a clip in several rows"):
        load_scores([run])


def test_data_files_have_scores_groups_prompts_and_media(tmp_path):
    runs = two_runs(tmp_path)
    rows = pd.read_parquet(runs[0] / "scores.parquet")
    rows.assign(by_action=["tap", "saw", None, "tap"]).to_parquet(runs[0] / "scores.parquet")
    inputs = PageInputs({"a": "a dog"}, {"c": "data/clips/1.js"}, {"b": "broken"}, "some")
    write_page(tmp_path / "out", load_scores(runs), inputs)
    data = tmp_path / "out" / "data"
    name, about = read_script(data / "report.js")
    assert name == "report"
    assert about["runs"][0] == {"label": "first", "anchor": False}
    assert [each["label"] for each in about["metrics"]][1:] == ["Onset Acc. ↑", "MCD [dB] ↓"]
    _, clips = read_script(data / "clips.js")
    assert clips["prompts"] == ["a dog", "", "", ""]
    assert clips["axes"] == {"action": {"names": ["", "saw", "tap"], "of": [2, 1, 0, 2]}}
    assert clips["media"] == {"2": "data/clips/1.js"}
    assert clips["media_failures"] == {"1": "broken"}
    # What a browser is given where a clip has no score is null: NaN is no JSON.
    assert read_script(data / "scores" / "2.js") == (
        "scores 2",
        [[1.0, 2.0, 9.0, 3.0], [1.5, None, 8.5, 8.0]],
    )


class Elements(HTMLParser):
    """The elements and the text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data):
        self.texts.append(data)


def test_data_that_look_like_html_are_text(tmp_path):
    runs = two_runs(tmp_path, notes=(EVIL,))
    plain = Elements(write_page(tmp_path / "plain", load_scores(runs), NOTHING).read_text())
    evil = [
        write_run(
            tmp_path / f"evil{i}",
            {"mcd": [1.0, 2.0]},
            names=[EVIL, "b"],
            system=f"{EVIL}{i}",
            split=EVIL,
            notes=(EVIL,),
            made_by=({"version": EVIL},),
        )
        for i in range(2)
    ]
    write_failures(evil[0], [Failure(EVIL, "generate", EVIL, "a traceback with /home/user")])
    (evil[0] / "provenance.json").write_text(json.dumps({"python": EVIL}))
    inputs = PageInputs({EVIL: EVIL}, {}, {EVIL: EVIL}, EVIL)
    page = write_page(tmp_path / "out", load_scores(evil), inputs)
    found = Elements(page.read_text())
    assert set(found.tags) - {"b", "u"} == set(plain.tags)
    assert found.tags.count("script") == plain.tags.count("script") == 3
    assert "onerror" not in found.attributes
    assert sum(EVIL in text for text in found.texts) > 5
    for script in (tmp_path / "out" / "data").rglob("*.js"):
        assert "<" not in script.read_text("ascii")
    _, clips = read_script(tmp_path / "out" / "data" / "clips.js")
    assert clips["names"] == [EVIL, "b"]
    assert clips["prompts"] == [EVIL, ""]
    _, failures = read_script(tmp_path / "out" / "data" / "failures.js")
    assert failures == [[f"{EVIL}0", EVIL, "generate", EVIL]]


def test_a_script_of_data_is_ascii_without_the_beginning_of_an_element(tmp_path):
    write_script(tmp_path / "x.js", "</script>", {"a\u2028": "<!-- \udce9"})
    text = (tmp_path / "x.js").read_text("ascii")
    assert "<" not in text
    assert read_script(tmp_path / "x.js") == ("</script>", {"a\u2028": "<!-- \udce9"})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_script(tmp_path / "y.js", "x", float("nan"))
    assert [each.name for each in tmp_path.iterdir()] == ["x.js"]


def test_the_page_names_nothing_outside_its_folder(tmp_path):
    page = write_page(tmp_path / "out", load_scores(two_runs(tmp_path)), NOTHING)
    for path in page.parent.rglob("*"):
        if path.is_file():
            text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
            assert "://" not in text, path
            assert "fetch(" not in text
            assert str(tmp_path) not in text


def test_what_is_not_declared_differs_from_what_is_declared_as_none(tmp_path):
    declared = Fairness(("video", "prompt"), ("VGGSound",), (), 1, False)
    runs = two_runs(tmp_path, fairness=declared)
    text = write_page(tmp_path / "out", load_scores(runs), NOTHING).read_text("utf-8")
    assert '<th scope="col">non-commercial</th>' in text
    rows = [row.split("</tr>")[0] for row in text.split("<tr>") if "<td>no" in row]
    assert rows[0].count("<td>not declared</td>") == 5
    assert [cell.split("</td>")[0] for cell in rows[1].split("<td>")[1:]] == [
        "video; prompt", "VGGSound", "none", "1", "no",
    ]  # fmt: skip
