"""Samples named by a target and a condition find their reference, whatever was appended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.pipeline.transfers import References, Transfer

LONG = "2015-09-29-16-17-33-365_denoised_trim_to_2s_from_10.1333_new_fps_resized"
OTHER = "2015-09-29-16-17-33-365_denoised_trim_to_2s_from_11.8667_new_fps_resized"


@pytest.mark.parametrize(
    ("references", "stem", "reference"),
    [
        (["a", "b"], "a_to_x", "a"),
        (["a", "b"], "a_to_x_converted", "a"),
        (["a", "b"], "a_converted_to_x", "a"),
        (["a", "a_b"], "a_b_22k_to_x", "a_b"),
        (["a_converted", "b_converted"], "a_to_x", "a_converted"),
        (["a_converted", "a_c_converted"], "a_to_x", "a_converted"),
        (["a_converted"], "a_to_x", "a_converted"),
        (["a1_gt", "b1_gt"], "a1_gen_to_b1", "a1_gt"),
        (["a_to_x", "a_to_y", "b_to_x"], "a_to_x_converted", "a_to_x"),
        (["a_to_x", "a_to_y", "b_to_x"], "a_converted_to_y", "a_to_y"),
        (["a_to_x_gt", "a_to_y_gt"], "a_to_y", "a_to_y_gt"),
        (["trim_to_2s", "trim_to_4s"], "trim_to_2s_to_trim_to_4s", "trim_to_2s"),
        ([LONG, OTHER], f"{LONG}_to_{OTHER}", LONG),
        ([LONG, OTHER], f"{LONG}_to_{OTHER}_converted", LONG),
        ([LONG, OTHER], f"{OTHER}_converted_to_{LONG}", OTHER),
        ([LONG, OTHER], f"2015-09-29-16-17-33-365_10.1333_to_{OTHER}", LONG),
        ([f"{LONG}_mono", f"{OTHER}_mono"], f"{LONG}_to_{OTHER}", f"{LONG}_mono"),
    ],
)
def test_the_reference_of_a_transfer_is_found(references, stem, reference):
    found = References(references).find(stem)
    assert found is not None
    assert found.reference == reference


@pytest.mark.parametrize(
    ("references", "stem"),
    [
        (["a_x", "a_y"], "a_to_c"),  # nothing states which of both
        (["a_x", "a_yy"], "a_to_c"),
        (["ab"], "a_to_c"),  # a longer word is no suffix
        (["a"], "ab_to_c"),
        (["a"], "A_to_c"),
        (["a"], "a_too_c"),
        (["a"], "_to_a"),
        (["a_to_x_1", "a_to_x_2"], "a_to_x_gen"),
    ],
)
def test_a_name_that_fits_no_reference_or_several_is_not_guessed(references, stem):
    assert References(references).find(stem) is None


def test_a_transfer_has_its_target_and_states_whether_a_part_has_a_suffix():
    assert References(["a"]).find("a_to_x") == Transfer("a", "a", has_suffix=False)
    assert References(["a"]).find("a_22k_to_x") == Transfer("a", "a", has_suffix=True)
    assert References(["a_to_x"]).find("a_to_x_22k") == Transfer("a_to_x", "a", has_suffix=True)


def test_all_582_pairs_of_condfoley_find_their_target_under_every_suffix(shared: Path):
    paths = json.loads((shared / "media/lists/AMT_test_set_path.json").read_text("utf-8"))
    pairs = [(Path(t).stem, Path(c).stem) for t in paths for c in paths[t]]
    assert len(pairs) == 582
    references = References({target for target, _ in pairs})
    for target, condition in pairs:
        for stem in (
            f"{target}_to_{condition}",
            f"{target}_to_{condition}_converted",
            f"{target}_converted_to_{condition}",
        ):
            found = references.find(stem)
            assert found is not None
            assert found.reference == target, stem
