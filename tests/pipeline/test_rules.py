"""The rules of a gate: margins by default, a file of them, and refused files."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.pipeline.rules import (
    DEFAULT_MARGINS,
    DEFAULTS,
    PRIMARY,
    Margin,
    Rules,
    load_rules,
)
from bench.suite import PROFILES
from tests.conftest import ROOT


@pytest.fixture
def rules_file(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "gate.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_every_column_of_every_profile_has_a_margin_and_each_only_one():
    named = [name for default in DEFAULTS for name in default.columns]
    assert sorted(named) == sorted({row.name for rows in PROFILES.values() for row in rows})
    assert set(PRIMARY) <= set(DEFAULT_MARGINS)


def test_the_page_states_every_margin_with_its_reason():
    page = (ROOT / "docs" / "compare.md").read_text("utf-8")
    for default in DEFAULTS:
        assert f"| {', '.join(default.columns)} | {default.margin} | {default.reason} |" in page


def test_the_example_of_the_page_is_a_file_of_rules(rules_file):
    page = (ROOT / "docs" / "compare.md").read_text("utf-8")
    example = page.partition("```toml\n")[2].partition("```")[0]
    rules = load_rules(rules_file(example))
    assert rules.primary is not None
    assert rules.columns


def test_a_margin_is_the_larger_of_its_two_forms():
    margin = Margin(absolute=0.5, relative=0.05)
    assert margin.of(0.1) == 0.5
    assert margin.of(-100.0) == 5.0
    assert str(margin) == "5 % of the base, at least 0.5"


def test_a_file_replaces_what_it_names_and_nothing_else(rules_file):
    rules = load_rules(
        rules_file(
            'alpha = 0.1\nprimary = ["mcd", "lsd"]\n[columns.mcd]\nabsolute = 1\nalpha = 0.01\n'
            "required = true\n[columns.ib]\nignored = true\n"
        )
    )
    assert (rules.alpha, rules.primary) == (0.1, ("mcd", "lsd"))
    assert rules.margin("mcd") == Margin(absolute=1.0)
    assert rules.margin("lsd") == DEFAULT_MARGINS["lsd"]
    assert (rules.rule("mcd").alpha, rules.rule("mcd").is_required) == (0.01, True)
    assert rules.rule("ib").is_ignored
    assert not rules.rule("lsd").is_required


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("alpha = ", "cannot read the rules"),
        ("margins = 1", "no key 'margins'; there are: alpha, primary, columns"),
        ("alpha = 0.9", "alpha is 0.9, expected a number between 0 and 0.5"),
        ("alpha = true", "alpha is True, expected a number"),
        ("alpha = nan", "alpha is nan, expected a number"),
        ('primary = "mcd"', "primary is 'mcd', expected a list"),
        ("primary = []", "expected a list of different column names"),
        ('primary = ["mcd", "mcd"]', "expected a list of different column names"),
        ('primary = ["mdc"]', "no column 'mdc'; there are: clap"),
        ("columns = 3", "columns is 3, expected tables"),
        ("[columns.mdc]\nabsolute = 1", "no column 'mdc'; there are: clap"),
        ("[columns]\nmcd = 3", r"columns.mcd is 3, expected a table"),
        ("[columns.mcd]\nabs = 1", "no key 'abs'; there are: absolute, relative"),
        ("[columns.mcd]\nabsolute = -1", "mcd.absolute is -1, expected a number of at least 0"),
        ('[columns.mcd]\nrelative = "5 %"', "mcd.relative is '5 %', expected a number"),
        ("[columns.mcd]\nabsolute = inf", "mcd.absolute is inf, expected a number"),
        ("[columns.mcd]\nrequired = 1", "mcd.required is 1, expected true or false"),
        ("[columns.mcd]\nignored = true\nabsolute = 1", "ignored and has other rules"),
        ('primary = ["mcd"]\n[columns.mcd]\nignored = true', "both primary and ignored"),
    ],
)
def test_invalid_rules_are_refused_in_one_sentence(rules_file, text, words):
    with pytest.raises(BenchError, match=words) as refusal:
        load_rules(rules_file(text))
    assert "\n" not in str(refusal.value)


def test_a_file_that_is_missing_or_not_text_is_refused(tmp_path):
    with pytest.raises(BenchError, match="cannot read the rules"):
        load_rules(tmp_path / "none.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BenchError, match="cannot read the rules"):
        load_rules(tmp_path / "binary.toml")


def test_a_column_cannot_be_named_primary_against_a_file_that_ignores_it(rules_file):
    rules = load_rules(rules_file("[columns.ib]\nignored = true"))
    with pytest.raises(BenchError, match="ib is both primary and ignored"):
        Rules(primary=("ib",), columns=rules.columns)
