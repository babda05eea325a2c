"""Refusals state what is in the way: a file, nothing, or permissions, each in plain words."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench.errors import BenchError, MediaError
from bench.io import read_json, require_folder
from bench.media.container import open_media
from bench.pipeline.repeat import read_tolerances
from bench.pipeline.rules import load_rules
from bench.results import find_finished_runs, load_results
from bench.study.design import read_design
from bench.untrusted import read_bytes


def reason(call: Callable[..., object], *arguments: Any) -> str:
    with pytest.raises(BenchError) as caught:
        call(*arguments)
    return str(caught.value)


def test_a_file_where_a_folder_is_to_be_created_is_named(tmp_path: Path) -> None:
    file = tmp_path / "board"
    file.write_text("")
    for path in (file, file / "runs" / "a"):
        assert reason(require_folder, path).startswith(
            f"cannot create the folder {path} ({file} is a file): "
        )


def test_a_run_that_is_missing_or_a_file_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    found = {"gone": "nothing is there", "file": "it is a file", "empty": "there is no scores.json"}
    for name, expected in found.items():
        for call in (load_results, find_finished_runs):
            message = reason(call, tmp_path / name)
            assert message.startswith(f"{tmp_path / name} holds no finished run: {expected}")


def test_a_folder_of_runs_that_cannot_be_listed_is_refused_so_that_no_run_vanishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("open", "locked"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "scores.json").write_text("{}")
    assert len(find_finished_runs(tmp_path)) == 2
    scandir = os.scandir

    def refuse(
        folder: str | Path,
    ) -> Any:  # the superuser reads everything, so modes cannot stand in for this
        if Path(folder).name == "locked":
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    message = reason(find_finished_runs, tmp_path)
    assert message.startswith(f"cannot list the folder {tmp_path / 'locked'}: Permission denied;")


@pytest.mark.parametrize(
    "read", [read_json, load_rules, read_tolerances, lambda path: read_bytes(path, 9)]
)
def test_a_file_that_cannot_be_read_is_named_once_and_without_a_number(
    read: Callable[[Path], object], tmp_path: Path
) -> None:
    path = tmp_path / "gone"
    message = reason(read, path)
    assert "No such file or directory" in message
    assert "Errno" not in message
    assert message.count(str(path)) == 1


def test_a_design_that_cannot_be_read_is_named_once_and_without_a_number(tmp_path: Path) -> None:
    (tmp_path / "design.toml").mkdir()
    message = reason(read_design, tmp_path)
    assert "Is a directory" in message
    assert "Errno" not in message


def test_a_media_file_without_permission_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import av

    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF")
    with pytest.raises(MediaError, match="not a media file, or damaged"), open_media(path):
        pass

    def refuse(*_: object, **__: object) -> None:
        raise av.error.PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(av, "open", refuse)
    with pytest.raises(MediaError, match=f"cannot read {path}: Permission denied"):
        open_media(path).__enter__()
