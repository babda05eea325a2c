"""Every sample records what made it: code, weights, version, device."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace

import grimp
import pytest

from baselines import SYSTEMS
from bench.errors import BenchError, RunError
from bench.pipeline.provenance import origin_of
from bench.pipeline.run import look_ahead, run
from bench.plugins import open_system
from bench.results import load_results
from bench.system import System

ADAPTER = """
import numpy as np
from bench.system import System, one_by_one
from bench.types import Audio
from helper_of_{name} import LOUDNESS


def make(request):
    return Audio(np.full((1, round(16_000 * request.seconds)), LOUDNESS, np.float32), 16_000)


def open_model(device):
    return one_by_one(make)


SYSTEM = System("mine", "mine", frozenset({{"video"}}), open_model)
"""


@pytest.fixture
def adapter(tmp_path, monkeypatch, request):
    """A user's own system: a module of a name of its own, with a helper beside it."""
    name = f"mine_{abs(hash(request.node.name))}"
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / f"{name}.py").write_text(ADAPTER.format(name=name))
    (folder / f"helper_of_{name}.py").write_text("LOUDNESS = 0.1\n")
    monkeypatch.syspath_prepend(folder)
    yield f"{name}:SYSTEM", folder / f"helper_of_{name}.py"
    for module in (name, f"helper_of_{name}"):
        sys.modules.pop(module, None)


def quiet(stage: str, done: int, total: int) -> None:
    """A progress callback that prints nothing."""


def generated(plan) -> int:
    """Return the number of samples that a run makes."""
    made = []
    run(plan, lambda stage, done, total: made.append(done) if stage == "generate" else None)
    return made[-1]


def test_samples_of_code_that_was_edited_are_made_again(make_plan, adapter):
    spec, helper = adapter
    plan = make_plan(spec)
    before = run(plan, quiet).results
    helper.write_text("LOUDNESS = 0.2\n")
    assert "its code has changed" in look_ahead(make_plan(spec)).stale
    assert generated(make_plan(spec)) == 3
    after = load_results(plan.directory)
    assert [each["samples"] for each in after.made_by] == [3]
    assert after.made_by[0]["code"] != before.made_by[0]["code"]
    assert generated(make_plan(spec)) == 0


def test_kept_samples_are_scored_and_the_run_states_what_made_them(make_plan, adapter):
    spec, helper = adapter
    before = run(make_plan(spec), quiet).results
    helper.write_text("LOUDNESS = 0.2\n")
    plan = replace(make_plan(spec), stale="keep")
    assert generated(plan) == 0
    after = load_results(plan.directory)
    assert after.kept == 3
    assert after.made_by == before.made_by
    assert any("3 of 3 samples are kept" in note for note in after.notes)
    facts = json.loads((plan.directory / "run.json").read_text())
    assert facts["samples"] == [dict(each) for each in before.made_by]


def test_long_work_is_not_repeated_without_confirmation(make_plan, adapter):
    spec, helper = adapter
    plan = make_plan(spec)
    run(plan, quiet)
    facts = json.loads((plan.directory / "run.json").read_text())
    facts["seconds_per_clip"]["generate"] = 1_000.0
    (plan.directory / "run.json").write_text(json.dumps(facts))
    helper.write_text("LOUDNESS = 0.2\n")
    for call in (look_ahead, lambda plan: run(plan, quiet)):
        with pytest.raises(RunError, match=r"3 of 3 samples .* about 50 min: --yes .*--keep-samp"):
            call(make_plan(spec))
    assert generated(replace(make_plan(spec), stale="remake")) == 3


def test_a_run_of_another_device_is_refused_with_both_choices(make_plan, adapter):
    spec, _ = adapter
    run(make_plan(spec), quiet)
    elsewhere = replace(make_plan(spec), device="cuda:1")
    with pytest.raises(RunError, match=r"made on cpu in float32, this is cuda in float32: --keep-"):
        look_ahead(elsewhere)
    assert generated(replace(elsewhere, stale="keep")) == 0
    assert load_results(elsewhere.directory).made_by[0]["device"] == "cpu"


def test_an_anchor_is_the_same_on_every_device(make_plan):
    run(make_plan("silence"), quiet)
    assert generated(replace(make_plan("silence"), device="cuda")) == 0


def test_samples_of_other_weights_or_another_version_are_made_again(make_plan, tmp_path):
    weights = tmp_path / "model.pt"
    weights.write_bytes(b"first")
    plan = make_plan("tests.pipeline.systems:TONE")
    plan = replace(plan, system=replace(plan.system, weights=(weights,)))
    run(plan, quiet)
    weights.write_bytes(b"other")
    changed = replace(plan)
    assert "the weights model.pt have changed" in look_ahead(changed).stale
    assert generated(changed) == 3
    newer = replace(plan, system=replace(plan.system, version="2"))
    assert "version 1 is now 2" in look_ahead(newer).stale


def test_missing_weights_do_not_invalidate_the_samples(make_plan, tmp_path):
    weights = tmp_path / "model.pt"
    weights.write_bytes(b"first")
    plan = make_plan("tests.pipeline.systems:TONE")
    plan = replace(plan, system=replace(plan.system, weights=(weights,)))
    run(plan, quiet)
    weights.unlink()
    assert generated(replace(plan)) == 0


def test_changed_bytes_are_found_although_size_and_time_are_the_same(
    make_plan, clicks_folder, tmp_path
):
    plan = make_plan("tests.pipeline.systems:TONE")
    run(plan, quiet)
    sample = plan.sample_path(plan.clips[0])
    status, content = sample.stat(), bytearray(sample.read_bytes())
    content[-1] ^= 1
    time.sleep(0.02)
    sample.write_bytes(content)
    os.utime(sample, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert sample.stat().st_size == status.st_size
    assert generated(replace(plan)) == 1


def test_the_published_samples_that_a_run_reads_are_hashed_with_its_media(make_plan, tmp_path):
    folder = tmp_path / "published"
    folder.mkdir()
    plan = make_plan("silence")
    published = [folder / f"{clip.name}.wav" for clip in plan.clips]
    for path in published:
        path.touch()
    assert set(published) < set(make_plan(f"precomputed:{folder}").files())


def test_a_journal_that_names_no_origin_is_not_trusted(make_plan):
    plan = make_plan("tests.pipeline.systems:TONE")
    run(plan, quiet)
    journal = plan.directory / "journal.jsonl"
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    for line in lines:
        line.pop("made_by", None)
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert "version unknown is now 1" in look_ahead(replace(plan)).stale


def test_files_of_a_virtual_environment_and_hidden_files_are_not_code(tmp_path, monkeypatch):
    (tmp_path / "alone_here.py").write_text("X = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    system = System("s", "s", frozenset(), print, code=("alone_here",))
    before = origin_of(system, "cpu")
    for folder, marker in (("venv", "pyvenv.cfg"), (".hidden", "x"), ("__pycache__", "x")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / marker).write_text("")
        (tmp_path / folder / "other.py").write_text("Y = 2\n")
    assert origin_of(system, "cpu") == before
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "net.py").write_text("Y = 2\n")
    assert origin_of(system, "cpu") != before


def test_code_behind_links_counts_and_links_to_nothing_or_back_do_not(tmp_path, monkeypatch):
    folder, library = tmp_path / "code", tmp_path / "library"
    folder.mkdir()
    library.mkdir()
    (folder / "linked_code_of_mine.py").write_text("A = 1\n")
    (library / "layers.py").write_text("B = 1\n")
    monkeypatch.syspath_prepend(folder)
    system = System("s", "s", frozenset(), print, code=("linked_code_of_mine",))
    (folder / "library").symlink_to(library)
    before = origin_of(system, "cpu").code
    (folder / ".#open.py").symlink_to("me@host.123")  # an editor's lock
    (folder / "up").symlink_to(tmp_path)
    (library / "again").symlink_to(library)
    assert origin_of(system, "cpu").code == before
    (library / "layers.py").write_text("B = 2\n")
    assert origin_of(system, "cpu").code != before


def test_a_folder_that_is_on_the_path_twice_is_the_same_code(tmp_path, monkeypatch):
    (tmp_path / "package_without_init").mkdir()
    (tmp_path / "package_without_init" / "net.py").write_text("X = 1\n")
    system = System("s", "s", frozenset(), print, code=("package_without_init",))
    monkeypatch.syspath_prepend(tmp_path)
    before = origin_of(system, "cpu")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path, str(tmp_path)])
    assert origin_of(system, "cpu") == before


def test_code_that_cannot_be_found_is_refused():
    system = System("s", "s", frozenset(), print, code=("no_such_module",))
    with pytest.raises(BenchError, match="cannot find the source of 'no_such_module'"):
        origin_of(system, "cpu")


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_built_in_system_declares_all_the_code_that_it_imports(name):
    module = SYSTEMS[name].partition(":")[0]
    name, _, argument = name.partition(":")
    argument = {"PRECISION": "float32", "DIRECTORY": ""}.get(argument, argument and "0")
    system = open_system(f"{name}:{argument}" if argument else name)
    graph = grimp.build_graph("baselines", "acfoley", "bench")
    used = {module, *graph.find_upstream_modules(module)}
    # The network of the paper's size shares a package with the mini one, but not its encoders.
    is_mini = name.startswith(("oracle", "acfoley-mini"))
    decisive = (
        "baselines.",
        "acfoley.",
        "bench.backbones.",
        *(["bench.synthetic."] if is_mini else []),
    )
    for each in sorted(used):
        if each.startswith(decisive):
            assert any(each == part or each.startswith(f"{part}.") for part in system.code), each


def test_different_origins_have_different_keys():
    system = open_system("tests.pipeline.systems:TONE")
    keys = {origin_of(replace(system, version=version), "cpu").key for version in ("1", "2")}
    assert len(keys) == 2
