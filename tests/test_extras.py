"""The extras of the package are those that messages name, and messages name the command."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from bench import extras
from bench.extras import EXTRAS, describe_missing_module
from bench.judges import open_judge, signal
from bench.suite import select, select_computable
from bench.terminal import run_app

ROOT = Path(__file__).parents[1]


def test_every_module_comes_with_an_extra_that_exists():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = project["optional-dependencies"]
    distributions = {"open_clip": "open_clip_torch", "panns_inference": "panns-inference"}
    for module, extra in EXTRAS.items():
        name = distributions.get(module, module)
        assert any(row.startswith((f"{name}>", f"{name}=")) for row in declared[extra]), module
        assert not any(row.startswith(name) for row in project["dependencies"]), module


def test_a_module_of_the_base_install_has_no_extra():
    assert describe_missing_module("numpy") is None


def test_a_missing_module_ends_a_command_with_one_sentence_and_exit_code_2(capsys):
    def app() -> None:
        raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib.figure")

    with pytest.raises(SystemExit, match="2"):
        run_app(app)
    assert "pip install 'foley-bench[figures]'" in capsys.readouterr().err


def test_any_other_missing_module_is_an_error_of_the_program():
    def app() -> None:
        raise ModuleNotFoundError("No module named 'no_such'", name="no_such")

    with pytest.raises(ModuleNotFoundError):
        run_app(app)


@pytest.mark.parametrize("name", ["paper", "mini"])
def test_without_torch_a_judge_has_its_signal_columns(name, monkeypatch):
    monkeypatch.setattr("bench.judges.has_module", lambda module: module != "torch")
    judge = open_judge(name, "strict")
    names = [extractor.name for extractor in judge.extractors]
    assert names == ["onset", "cepstra", "cepstra_c1", "spectrum"]
    (sentence,) = judge.missing
    assert f"the judge {name} needs the package torch" in sentence
    assert "pip install 'foley-bench[judges]'" in sentence
    assert {"onset_acc", "mcd"} <= {row.name for row in select_computable(select("strict"), judge)}


def test_without_pysptk_there_are_no_cepstra_and_the_judge_keeps_its_name(monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None if "py" in name else object())
    judge = open_judge("signal", "strict")
    assert judge.name == "signal"
    assert [extractor.name for extractor in judge.extractors] == ["onset", "spectrum"]
    assert "mcd" not in {row.name for row in select_computable(select("strict"), judge)}
    assert "pip install 'foley-bench[mcd]'" in judge.missing[0]


def test_without_pyworld_the_judge_is_named_approximate(monkeypatch):
    monkeypatch.setattr(signal, "has_module", lambda name: name != "pyworld")
    monkeypatch.setattr("bench.judges.has_pyworld", lambda: False)
    assert open_judge("signal", "strict").name == "signal, approximate MCD"
