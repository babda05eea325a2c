"""Setting a system up: licence, checkout, interpreter, requirements, weights, measurements."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.errors import BenchError, MissingError
from bench.isolation import Requirement, Weight
from bench.isolation.setup import (
    accept_licence,
    check,
    list_unmet_requirements,
    list_weight_faults,
    remove,
    set_up,
)
from bench.isolation.state import compare_commit, read_state, system_folder, write_state
from bench.pipeline.provenance import origin_of


def test_the_licence_is_accepted_once(make_adapter) -> None:
    adapter = make_adapter()
    accept_licence(adapter, is_accepted=False)  # it was when the system was set up
    remove(adapter)
    with pytest.raises(BenchError, match="give --accept-licence"):
        accept_licence(adapter, is_accepted=False)


def test_a_folder_that_is_no_checkout_is_refused_and_nothing_stored(make_adapter, tmp_path) -> None:
    adapter = make_adapter()
    remove(adapter)
    with pytest.raises(BenchError, match=r"no checkout of https://example.org/toy: it has no main"):
        set_up(adapter, tmp_path / "packages", Path(sys.executable), print)
    with pytest.raises(BenchError, match="there is no interpreter"):
        set_up(adapter, tmp_path / "checkout", tmp_path / "no" / "python", print)
    with pytest.raises(BenchError, match=r"does not run as a Python 3\.8"):
        set_up(adapter, tmp_path / "checkout", Path("/bin/false"), print)
    assert read_state("toy") is None


def test_another_python_than_the_lock_is_for_is_noted(make_adapter, tmp_path) -> None:
    adapter = make_adapter(python="3.8")
    lines: list[str] = []
    set_up(adapter, tmp_path / "checkout", Path(sys.executable).parent.parent, lines.append)
    assert "toy expects 3.8" in lines[0]


def test_without_uv_the_message_names_the_extra(make_adapter, tmp_path, monkeypatch) -> None:
    adapter = make_adapter()
    monkeypatch.setattr("bench.isolation.setup.shutil.which", lambda *_, **__: None)
    with pytest.raises(MissingError, match=r"foley-bench\[systems\]"):
        set_up(adapter, tmp_path / "checkout", None, print)


def test_what_the_user_has_to_install_is_named(make_adapter) -> None:
    adapter = make_adapter(
        requirements=(
            Requirement("import json", "comes with Python"),
            Requirement("import no_such_module", "pip install it from git"),
            Requirement("command no-such-program", "install it"),
            Requirement("file main.py", "in the checkout"),
            Requirement("file other.py", "download it"),
        )
    )
    assert list_unmet_requirements(adapter) == [
        "import no_such_module: pip install it from git",
        "command no-such-program: install it",
        "file other.py: download it",
    ]


def test_weights_are_judged_by_size_and_checksum(make_adapter, tmp_path) -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    adapter = make_adapter(
        weights=(
            Weight("w/good.pth", "site", sha256=empty),
            Weight("w/small.pth", "site", size_bytes=5),
            Weight("w/other.pth", "site", md5="0" * 32),
            Weight("w/lost.pth", "site A"),
        )
    )
    folder = tmp_path / "checkout" / "w"
    folder.mkdir()
    for name in ("good", "small", "other"):
        (folder / f"{name}.pth").touch()
    assert list_weight_faults(adapter) == [
        "w/small.pth has 0 bytes, the published file 5",
        "w/other.pth is not the published file: its checksum differs",
        "w/lost.pth is missing: get it from site A",
    ]
    assert "w/lost.pth (site A)" in adapter.system().lacks()


def test_a_check_measures_and_plans_use_it(make_adapter, make_requests) -> None:
    adapter = make_adapter("time.sleep(0.5 * len(chunk['requests']))\n" + EACH_WITHOUT_SEED)
    report = check(adapter, make_requests(2), "cpu")
    assert 0.3 < report.seconds_per_clip < 3
    assert report.memory_gib > 0.005
    assert report.difference == 0
    expected = adapter.system().expected_seconds()
    assert expected.cpu == pytest.approx(report.seconds_per_clip)
    assert expected.gpu == 20.0  # not measured: the guess


EACH_WITHOUT_SEED = (
    "for r in chunk['requests']: write(out / (r['name'] + '.wav'), 500 + ord(r['prompt'][-1]))"
)


def test_a_check_that_makes_nothing_fails_with_the_reason(make_adapter, make_requests) -> None:
    with pytest.raises(BenchError, match="made no sample of -clip_0: toy wrote no audio"):
        check(make_adapter("pass"), make_requests(2), "cpu")


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_samples_belong_to_the_commit_and_its_changes(make_adapter, tmp_path) -> None:
    adapter, checkout = make_adapter(), tmp_path / "checkout"
    assert "is no git checkout" in compare_commit(adapter, checkout)
    unknown = origin_of(adapter.system(), "cpu")

    git(checkout, "init", "-q")
    git(checkout, "add", "main.py")
    git(checkout, "commit", "-qm", "first")
    commit = git(checkout, "rev-parse", "HEAD")
    assert f"is at commit {commit[:12]}" in compare_commit(adapter, checkout)
    pinned = make_adapter(commit=commit[:7])
    assert compare_commit(pinned, checkout) == ""
    clean = origin_of(pinned.system(), "cpu")
    assert clean == origin_of(pinned.system(), "cpu")
    assert clean.describe_changes(unknown)

    (checkout / "main.py").write_text("changed = True\n")
    assert "has uncommitted changes" in compare_commit(pinned, checkout)
    changed = origin_of(pinned.system(), "cpu")
    (reason,) = clean.describe_changes(changed)
    assert f"commit {commit[:12]}, changes none, lock none" in reason
    (checkout / "added.py").write_text("more = True\n")
    assert changed.describe_changes(origin_of(pinned.system(), "cpu"))


def test_a_folder_without_git_is_known_by_its_sources(make_adapter, tmp_path) -> None:
    adapter = make_adapter()
    before = origin_of(adapter.system(), "cpu")
    (tmp_path / "checkout" / "main.py").write_text("changed = True\n")
    assert before.describe_changes(origin_of(adapter.system(), "cpu"))


def test_removing_keeps_the_checkout(make_adapter, tmp_path) -> None:
    adapter = make_adapter()
    assert remove(adapter) > 0
    assert not system_folder("toy").exists()
    assert (tmp_path / "checkout" / "main.py").exists()
    with pytest.raises(BenchError, match="toy is not set up"):
        remove(adapter)


def test_a_state_of_another_version_is_refused(make_adapter) -> None:
    adapter = make_adapter()
    (system_folder("toy") / "system.json").write_text(json.dumps({"unknown": 1}))
    with pytest.raises(BenchError, match="bench systems remove toy, then set it up again"):
        read_state(adapter.name)


@pytest.mark.slow
def test_an_environment_is_made_from_a_lock(make_adapter, make_requests, tmp_path) -> None:
    adapter = make_adapter()
    remove(adapter)
    requirements = adapter.folder / "requirements.in"
    requirements.write_text("packaging==24.2\n")
    uv = str(Path(sys.executable).with_name("uv"))
    lock = [uv, "pip", "compile", "-q", "--generate-hashes", "--no-header", str(requirements)]
    subprocess.run([*lock, "-o", str(adapter.folder / "requirements.lock")], check=True)
    set_up(adapter, tmp_path / "checkout", None, print)
    state = read_state("toy")
    assert state is not None
    assert state.packages == ["packaging==24.2"]
    assert "environment" in state.python
    assert len(adapter.system().open("cpu")(make_requests(2))) == 2


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_set_up_that_is_stopped_leaves_no_system_that_looks_complete(
    make_adapter, tmp_path, monkeypatch, stop
) -> None:
    adapter = make_adapter()
    environment = system_folder("toy") / "environment"
    python = environment / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    before = read_state("toy")
    assert before is not None
    write_state("toy", replace(before, python=str(python)))

    def stop_in_the_middle(*_: object) -> None:
        assert "bench systems setup toy" in adapter.system().lacks()  # also for a kill -9
        raise stop

    monkeypatch.setattr("bench.isolation.setup._run", stop_in_the_middle)
    with pytest.raises(stop):
        set_up(adapter, tmp_path / "checkout", None, print)
    assert "its environment" in adapter.system().lacks()
    accept_licence(adapter, is_accepted=False)  # that is kept


def test_an_interpreter_that_is_gone_is_named_by_a_check(make_adapter) -> None:
    adapter = make_adapter(requirements=(Requirement("import json", "comes with Python"),))
    state = read_state("toy")
    assert state is not None
    write_state("toy", replace(state, python="/no/such/python"))
    (missing,) = list_unmet_requirements(adapter)
    assert "/no/such/python is gone: bench systems setup toy" in missing


def test_an_import_that_does_not_end_is_not_met(make_adapter, monkeypatch) -> None:
    adapter = make_adapter(requirements=(Requirement("import json", "comes with Python"),))
    monkeypatch.setattr("bench.isolation.setup.PROBE_LIMIT_S", 0)
    assert list_unmet_requirements(adapter) == ["import json: comes with Python"]


def test_a_check_lists_what_was_installed_since_the_set_up(make_adapter, make_requests) -> None:
    adapter = make_adapter(EACH_WITHOUT_SEED)
    state = read_state("toy")
    assert state is not None
    write_state("toy", replace(state, packages=["old==1"]))
    before = origin_of(adapter.system(), "cpu")
    check(adapter, make_requests(2), "cpu")
    after = read_state("toy")
    assert after is not None
    assert after.packages == state.packages
    assert before.describe_changes(origin_of(adapter.system(), "cpu"))


def test_a_link_to_nothing_in_a_checkout_does_not_matter(make_adapter, tmp_path) -> None:
    adapter, checkout = make_adapter(), tmp_path / "checkout"
    git(checkout, "init", "-q")
    git(checkout, "add", "main.py")
    git(checkout, "commit", "-qm", "first")
    (checkout / ".#main.py").symlink_to("user@host.1:2")  # how Emacs marks an open file
    assert "is at commit" in compare_commit(adapter, checkout)


@pytest.mark.parametrize(
    ("name", "is_plain"), [("my data", False), ("a;b", False), ("jürgen-1.0", True)]
)
def test_scripts_that_do_not_quote_paths_need_a_plain_one(
    make_adapter, tmp_path, monkeypatch, name, is_plain
) -> None:
    monkeypatch.setenv("BENCH_HOME", str(tmp_path / name))
    adapter = make_adapter(splits_paths=True)
    lacks = adapter.system().lacks()
    assert (lacks == "") == is_plain
    assert is_plain or f"another BENCH_HOME: its scripts do not quote {tmp_path / name}" in lacks
    assert make_adapter().system().lacks() == ""


def test_what_to_install_names_the_places_of_this_machine(make_adapter, tmp_path) -> None:
    how = "uv pip install --python ENVIRONMENT -e CHECKOUT"
    adapter = make_adapter(requirements=(Requirement("import no_such_module", how),))
    command = f"uv pip install --python {sys.executable} -e {tmp_path / 'checkout'}"
    assert list_unmet_requirements(adapter) == [f"import no_such_module: {command}"]


def test_weights_are_not_looked_for_before_there_is_a_checkout(make_adapter) -> None:
    adapter = make_adapter(weights=(Weight("a.pth", "their site"),))
    remove(adapter)
    assert list_weight_faults(adapter) == []
    assert "its own environment: bench systems setup toy" in list_unmet_requirements(adapter)[0]
