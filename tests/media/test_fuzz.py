import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORKER = Path(__file__).with_name("fuzz_worker.py")
REAL_CLIPS = (
    "media/greatesthits/target/2015-10-03-13-39-43-1_denoised_trim_to_2s_from_4.8667"
    "_new_fps_resized.mp4",
    "media/vggsound/1aDnyPubxdY_000118.mp4",
    "media/v2a-outputs/vta-ldm/-26aVYRtEAc_000030.wav",
    "golden/media/0B4dYTMsgHA_000130.mp4",
    "golden/media/v1_stereo48_4s.flac",
)


def fuzz(folder: Path, n_files: int, timeout_s: float, clips: tuple[Path, ...] = ()) -> None:
    """Read ``n_files`` damaged files in another process, which must survive and stay small."""
    command = [sys.executable, "-W", "error", str(WORKER), str(folder), "0", str(n_files)]
    try:
        run = subprocess.run(
            [*command, *map(str, clips)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as error:
        printed = (error.stdout or b"").decode().splitlines()
        pytest.fail(f"reading hung at: {printed[-1:]}")
    printed = run.stdout.splitlines()
    assert run.returncode == 0, f"reading died at: {printed[-1:]}\n{run.stderr}"
    assert run.stderr == ""
    report = json.loads(printed[-1])
    assert sum(report["outcomes"].values()) == 6 * n_files
    assert report["outcomes"]["audio read"] > n_files / 10
    assert report["outcomes"]["audio refused"] > n_files / 10
    assert report["growth_mb"] < 200
    assert report["open_files"] == 0


def test_two_hundred_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    fuzz(tmp_path, 200, timeout_s=60)


@pytest.mark.slow
def test_a_thousand_damaged_files_with_real_clips_are_read_or_refused(
    tmp_path: Path, shared: Path
) -> None:
    fuzz(tmp_path, 1000, timeout_s=280, clips=tuple(shared / clip for clip in REAL_CLIPS))
