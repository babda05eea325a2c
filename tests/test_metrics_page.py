"""The page on the metrics has what the suite has."""

from __future__ import annotations

import importlib.util
import re
from types import ModuleType

import pytest

from bench.checkpoints.registry import OFFICIAL_FILES
from bench.suite import PROFILES
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def columns() -> ModuleType:
    """The script that writes the tables; its folder is no package."""
    spec = importlib.util.spec_from_file_location("columns", ROOT / "docs" / "site" / "columns.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_its_tables_are_those_of_the_suite(columns):
    assert columns.write_tables(PAGE) == PAGE, "run: python docs/site/columns.py"


def test_another_value_in_a_table_is_found(columns):
    edited = PAGE.replace("| **IB** |  | higher | 1 |", "| **IB** |  | higher | 2 |")
    assert edited != PAGE
    assert columns.write_tables(edited) == PAGE


def test_every_column_has_one_section_with_range_and_source(columns):
    sections = columns.read_sections(PAGE)
    listed = re.findall(r"`(\w+)`", " ".join(re.findall(r"^Columns: (.*)$", PAGE, re.MULTILINE)))
    for metrics in PROFILES.values():
        assert sorted(listed) == sorted(metric.name for metric in metrics)
    for heading in set(sections.values()):
        text = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
        for part in ("```text\n", "**Range.**", "**Source.**", "**Responds"):
            assert part in text or (heading in ("IS", "CLAP") and part == "**Responds"), heading


def test_every_column_names_the_checkpoints_that_it_needs():
    rows = dict(re.findall(r"^\| `(\w+)` \|(.*)$", PAGE, re.MULTILINE))
    needed = [(column, file.name) for file in OFFICIAL_FILES.values() for column in file.needed_by]
    assert ("clap", "roberta-vocab") in needed
    assert [(column, name) for column, name in needed if f"`{name}`" not in rows[column]] == []
