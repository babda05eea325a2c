"""The published packages are used without the side effects of importing them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.backbones import requirements
from bench.backbones.requirements import import_published
from bench.errors import MissingError

BUILD = """
import sys
from bench.backbones import panns, passt, vggish
for backbone in (vggish, passt, panns):
    assert all(tensor.is_meta for tensor in backbone.build_network().parameters())
    # The last one needs librosa, which registers resampy as a module to load on demand.
    assert "resampy" not in sys.modules or backbone is panns
assert "panns_inference" not in sys.modules and "torchvggish" not in sys.modules
"""


def test_building_the_networks_prints_nothing_and_leaves_the_home_directory_empty(tmp_path):
    home, config = tmp_path / "home", tmp_path / "config"
    home.mkdir()
    # The font cache of matplotlib, which panns_inference imports, is kept apart.
    paths = {"HOME": str(home), "MPLCONFIGDIR": str(config)}
    run = subprocess.run(
        [sys.executable, "-c", BUILD],
        env=os.environ | paths,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert list(home.rglob("*")) == []


def test_a_missing_package_is_refused_with_the_extra_that_brings_it(monkeypatch):
    monkeypatch.setattr(requirements, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r"pip install 'foley-bench\[judges\]'"):
        import_published("torchvggish", "models")


def test_all_modules_of_a_package_share_one_parent_and_leave_its_own_name_free():
    network = import_published("torchvggish", "torchvggish")
    front_end = import_published("torchvggish", "mel_features")
    parent = sys.modules["_published_torchvggish"]
    assert (parent.torchvggish, parent.mel_features) == (network, front_end)
    assert import_published("torchvggish", "torchvggish") is network
    assert sys.modules.get("torchvggish") is not parent
