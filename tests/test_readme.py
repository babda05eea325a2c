"""The commands and examples of the README run."""

from __future__ import annotations

import re

import numpy as np
import pytest

from bench.media import write_audio
from bench.types import Audio
from tests.conftest import ROOT


@pytest.fixture
def examples() -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)


def test_the_example_of_the_library_runs(
    examples, capsys, rng, mini_home, one_process, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCH_HOME", str(mini_home))
    for folder in ("OUT", "TRUE"):
        (tmp_path / folder).mkdir()
        noise = rng.normal(0, 0.1, (1, 44_100)).astype(np.float32)
        write_audio(tmp_path / folder / "clip.wav", Audio(noise, 22_050))
    exec(examples[0], {"__name__": "__main__"})  # noqa: S102 - our own README
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines[:-1]] == ["onset_acc", "onset_ap", "mcd"]
    assert np.isfinite([float(line[1]) for line in lines[:-1]]).all()
    assert lines[-1] in (["True"], ["False"])


def test_the_example_of_metrics_runs(examples, capsys, rng):
    waveforms = {
        "true.wav": rng.normal(0, 0.1, 22_050),
        "generated.wav": rng.normal(0, 0.1, 22_050),
    }
    exec(examples[1], {"load": waveforms.__getitem__})  # noqa: S102 - our own README
    accuracy_line, mcd_line = capsys.readouterr().out.splitlines()
    assert len(accuracy_line.split()) == 2
    assert np.isfinite(float(mcd_line.removesuffix(" dB")))


def test_every_weights_command_in_the_readme_exists_and_is_printed_there():
    from typer.main import get_command

    from bench.cli.weights import app

    known = set(get_command(app).commands)
    text = (ROOT / "README.md").read_text()
    assert set(re.findall(r"bench weights (\w+)", text)) == known


def test_the_columns_of_the_paper_are_explained_in_its_order_with_their_weights():
    from bench.checkpoints.registry import OFFICIAL_FILES
    from bench.suite import PROFILES

    text = (ROOT / "README.md").read_text()
    rows = {
        name: line
        for line in text.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    metrics = PROFILES["av-benchmark"]
    assert list(rows) == [metric.name for metric in metrics if not metric.is_extra]
    assert "Sixteen extras" in text
    assert len(metrics) - len(rows) == 16
    for weights in OFFICIAL_FILES.values():
        needed = [column for column in weights.needed_by if column in rows]
        assert all(f"`{weights.name}`" in rows[column] for column in needed)


def test_no_page_names_a_path_that_only_one_machine_has():
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "constraints.txt"]
    for page in pages:
        assert not re.search(r"(?<![\w.])/(home|root|work|tmp|Users)/", page.read_text()), page
