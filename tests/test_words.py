"""The check of identifiers against the table of words in CONTRIBUTING.md."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CHECKER = ROOT / ".ci" / "check_words.py"


@pytest.fixture
def check(tmp_path):
    def run(code: str) -> tuple[int, list[str]]:
        path = tmp_path / "module.py"
        path.write_text(code, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, CHECKER, path], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.stderr == ""
        return done.returncode, done.stdout.replace(f"{path}", "module.py").splitlines()

    return run


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("x = 1\nsound_rate_hz = 2\n", "2: sound_rate_hz: not 'sound' but audio or waveform"),
        ("class PictureReader: ...\n", "1: PictureReader: not 'picture' but video"),
        ("SHOWN_HZ = 3\n", "1: SHOWN_HZ: not 'shown' but a verb"),
        ("def read(*, untaught): ...\n", "1: untaught: not 'untaught' but train"),
    ],
)
def test_an_identifier_with_a_refused_word_is_reported_with_its_position(check, code, problem):
    status, lines = check(code)
    assert status == 1
    assert len(lines) == 1
    assert lines[0].startswith(f"module.py:{problem}")


def test_each_refused_identifier_is_reported_once_where_it_occurs_first(check):
    status, lines = check("heard = 1\nheard += 1\nspoilt = heard\n")
    assert status == 1
    assert [line.split(": ")[:2] for line in lines] == [
        ["module.py:1", "heard"],
        ["module.py:3", "spoilt"],
    ]


@pytest.mark.parametrize(
    "code",
    [
        "audio_rate_hz, video, waveform = 1, 2, 3\n",
        "role = 'picture'  # the sound of a picture\n",  # strings and comments are not checked
        "soundfile, years, seed, lacquer = 1, 2, 3, 4\n",  # only full parts of a name count
        "import soundfile\nERROR = soundfile.SoundFileError\n",  # a name of another package
    ],
)
def test_identifiers_in_plain_words_are_accepted(check, code):
    assert check(code) == (0, ["words: 1 files, no identifier in the old dialect"])
