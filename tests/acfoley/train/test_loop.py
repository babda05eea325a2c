"""The training loop: losses fall, resumed runs are bit-identical, non-finite values stop it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from acfoley.network.initialise import new_network
from acfoley.train.checkpoint import list_checkpoints
from acfoley.train.collate import Collator
from acfoley.train.dataset import FeatureDataset
from acfoley.train.distributed import ProcessGroup
from acfoley.train.ema import list_snapshots
from acfoley.train.loader import select_clips
from acfoley.train.log import read_log
from acfoley.train.loop import TrainingData, TrainingSettings, train
from acfoley.train.loss import FlowMatchingLoss, StepLosses, require_finite
from acfoley.train.recipe import ConditionDropout, Schedule, Stage
from bench.errors import BenchError, RunError
from tests.acfoley.train.small import PARAMS, RECIPE, write_features

OFTEN = TrainingSettings(log_every=2, validate_every=4, checkpoint_every=3, keep=2, resume=True)


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    return write_features(tmp_path_factory.mktemp("features") / "f")


@pytest.fixture(scope="module")
def held_out(tmp_path_factory):
    return write_features(tmp_path_factory.mktemp("held") / "f", "held0", "held1", "wav9")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, features, held_out):
    """An uninterrupted run."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    network = train(RECIPE, TrainingData([features], [held_out]), run, OFTEN)
    return run, network


class Killed(BaseException):
    """Like a signal: nothing catches it."""


def killing(step):
    def on_step(report):
        if report.step == step:
            raise Killed

    return on_step


def without_speed(path):
    return [{n: v for n, v in row.items() if n != "clips_per_second"} for row in read_log(path)]


@pytest.mark.parametrize("step", [1, 3, 5, 8])
def test_a_resumed_run_leaves_the_same_files(tmp_path, features, held_out, finished, step):
    data, run = TrainingData([features], [held_out]), tmp_path / "killed"
    with pytest.raises(Killed):
        train(RECIPE, data, run, replace(OFTEN, on_step=killing(step)))
    train(RECIPE, data, run, OFTEN)
    whole, _ = finished
    names = sorted(path.relative_to(whole) for path in whole.rglob("*.safetensors"))
    assert names == sorted(path.relative_to(run) for path in run.rglob("*.safetensors"))
    for name in names:
        assert (run / name).read_bytes() == (whole / name).read_bytes()
    assert without_speed(run / "log.csv") == without_speed(whole / "log.csv")
    assert read_log(run / "validation.csv") == read_log(whole / "validation.csv")


def test_a_run_leaves_logs_snapshots_and_the_last_checkpoints(finished, features):
    run, network = finished
    assert list(list_checkpoints(run)) == [6, 8]
    assert [(s.step, s.sigma) for s in list_snapshots(run)] == [
        (step, sigma) for step in (3, 4, 6, 8) for sigma in (0.05, 0.1)
    ]
    curve = read_log(run / "log.csv")
    assert [row["step"] for row in curve] == ["2", "4", "6", "8"]
    assert [row["stage"] for row in curve] == ["overlap", "overlap", "non-overlap", "non-overlap"]
    assert float(curve[-1]["learning_rate"]) == pytest.approx(1e-3)
    assert [row["step"] for row in read_log(run / "validation.csv")] == ["4", "8"]
    about = json.loads((run / "run.json").read_text())
    assert about["recipe"] == RECIPE.as_json()
    assert about["n_clips"] == 8
    latents = FeatureDataset([features]).latents()
    assert torch.equal(network.latent_mean[0, 0], torch.from_numpy(latents.mean))
    assert not torch.equal(network.empty_string_feat, torch.zeros(77, 3))


def test_the_first_loss_is_that_of_a_velocity_of_zero(features, tmp_path):
    losses = []
    settings = TrainingSettings(on_step=lambda report: losses.append(report.loss))
    recipe = replace(RECIPE, stages=(Stage("overlap", 1, "inside"),))
    train(recipe, TrainingData([features]), tmp_path, settings)
    # Latents and noise both have variance 1, and a new network predicts a velocity of zero.
    assert losses == [pytest.approx(2.0, abs=0.4)]


def test_one_batch_can_be_overfitted(features):
    torch.manual_seed(0)
    dataset = FeatureDataset([features])
    recipe = replace(RECIPE, dropout=ConditionDropout(0, 0, 0), params=replace(PARAMS, width=32))
    batch = Collator(dataset, recipe).training(dataset.clips[:2], "inside", 0, 0)
    network = new_network(recipe.params, 0)
    objective = FlowMatchingLoss(network, dataset.layout.lengths, bfloat16=False)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-2)
    first = objective(batch).mean().item()
    for _ in range(100):
        optimiser.zero_grad()
        loss = objective(batch).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
    assert loss.item() < 0.2 * first


def test_every_weight_has_a_gradient_even_without_video_and_references(features):
    dataset = FeatureDataset([features])
    recipe = replace(RECIPE, dropout=ConditionDropout(0, 0, 0))
    network = new_network(PARAMS, 0)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1, generator=torch.Generator().manual_seed(0))
    audio_only = [row for row in dataset.clips if not row.has_video]
    for row in audio_only:
        row.column_index.pop("after.mean", None)
    batch = Collator(dataset, recipe).training(audio_only, "after", 0, 0)
    assert batch.features.audio is None
    FlowMatchingLoss(network, dataset.layout.lengths, bfloat16=False)(batch).mean().backward()
    missing = [n for n, p in network.named_parameters() if p.requires_grad and p.grad is None]
    assert missing == []
    for name in ("empty_clip_feat", "empty_sync_feat", "empty_audio_feat"):
        assert network.get_parameter(name).grad.abs().sum() > 0


def test_a_dropped_component_has_no_effect_and_a_kept_one_has(features):
    dataset = FeatureDataset([features])
    network = new_network(PARAMS, 0)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(0))
    objective = FlowMatchingLoss(network, dataset.layout.lengths, bfloat16=False)
    for rates, is_kept in ((ConditionDropout(0, 0, 0), True), (ConditionDropout(1, 1, 1), False)):
        batch = Collator(dataset, replace(RECIPE, dropout=rates)).training(
            dataset.clips[:2], "inside", 0, 0
        )
        for name in ("video", "sync", "text", "audio"):
            changed = {name: 3 * batch.features.get(name) + 1}
            other = replace(batch, features=replace(batch.features, **changed))
            with torch.no_grad():
                assert torch.equal(objective(batch), objective(other)) != is_kept


def test_accumulated_parts_give_the_same_gradients(features, tmp_path):
    recipe = replace(RECIPE, stages=(Stage("overlap", 1, "inside"),))
    whole = train(recipe, TrainingData([features]), tmp_path / "whole", TrainingSettings())
    parts = train(
        recipe, TrainingData([features]), tmp_path / "parts", TrainingSettings(n_accumulated=4)
    )
    for (name, one), other in zip(whole.named_parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight")
def test_bfloat16_trains_float32_weights(features, tmp_path):
    recipe = replace(RECIPE, bfloat16=True, stages=(Stage("overlap", 2, "inside"),))
    losses = []
    network = train(
        recipe,
        TrainingData([features]),
        tmp_path,
        TrainingSettings(on_step=lambda r: losses.append(r.loss)),
    )
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    assert all(0 < loss < 4 for loss in losses)


def test_a_loss_that_is_not_finite_stops_training_and_names_the_clips(features, tmp_path):
    poisoned = write_features(tmp_path / "f", "good0", "good1", "bad")
    dataset = FeatureDataset([poisoned])
    network = new_network(PARAMS, 0)
    network.latent_std.data.fill_(1)
    [bad] = [row for row in dataset.clips if row.name == "bad"]
    recipe = replace(RECIPE, batch_size=3, video_repeats=1)
    settings = TrainingSettings(checkpoint_every=1, on_step=poison_after(2, bad))
    with pytest.raises(RunError, match=r"stopped at step \d: not finite is the loss of bad \(see"):
        train(recipe, TrainingData([poisoned]), tmp_path / "run", settings)
    [path] = (tmp_path / "run").glob("stopped-*.json")
    stopped = json.loads(path.read_text())
    assert stopped["not_finite"] == ["bad"]
    assert sorted(stopped["batch"]) == ["bad", "good0", "good1"]
    assert max(list_checkpoints(tmp_path / "run")) == stopped["step"]


def poison_after(step, row):
    """Overwrite the target of a clip on disk with infinities, as a damaged disk might."""
    import numpy as np
    from safetensors.numpy import load_file, save_file

    def on_step(report):
        if report.step == step:
            tensors = load_file(row.shard)
            mean = np.array(tensors["target.mean"])
            mean[row.column_index["target.mean"]] = np.inf
            content = {**{n: np.array(v) for n, v in tensors.items()}, "target.mean": mean}
            whole = row.shard.with_suffix(".new")
            save_file(content, whole)
            with row.shard.open("r+b") as file:
                file.write(whole.read_bytes())

    return on_step


def test_a_gradient_that_is_not_finite_names_the_batch(features, tmp_path):
    dataset = FeatureDataset([features])
    batch = Collator(dataset, RECIPE).training(dataset.clips, "inside", 0, 0)
    losses = StepLosses([batch], [torch.ones(8)], float("inf"))
    processes = ProcessGroup(0, 1, torch.device("cpu"))
    with pytest.raises(RunError, match="a gradient in the batch of clip0, .*, clip4 and 3 more"):
        require_finite(losses, 3, "overlap", tmp_path, processes)
    require_finite(replace(losses, gradient_norm=1.0), 3, "overlap", tmp_path, processes)


def test_stages_can_be_trained_one_after_another(features, tmp_path, finished):
    data = TrainingData([features])
    train(RECIPE, data, tmp_path, replace(OFTEN, until="overlap"))
    assert max(list_checkpoints(tmp_path)) == 4
    network = train(RECIPE, data, tmp_path, OFTEN)
    _, whole = finished
    for one, other in zip(network.parameters(), whole.parameters(), strict=True):
        assert torch.equal(one, other)


def test_fine_tuning_selects_clips_by_score(tmp_path, features):
    rows = list(FeatureDataset([features]).clips)
    fitting = [replace(row, score=0.2 if row.name == "clip2" else row.score) for row in rows]
    stage = Stage("finetune", 1, "after", 0.3)
    found = select_clips(fitting, stage, replace(RECIPE, video_repeats=1))
    assert [row.name for row in found] == ["clip0", "clip1", "clip3", "clip4", "clip5"]
    with pytest.raises(BenchError, match="no clip has a score: list them with a column `score`"):
        select_clips([replace(row, score=None) for row in rows], stage, RECIPE)


def test_runs_that_cannot_be_resumed_are_refused(tmp_path, features, finished, held_out):
    run, network = finished
    data = TrainingData([features], [held_out])
    with pytest.raises(RunError, match="at step 8: go on with --resume, or use another folder"):
        train(RECIPE, data, run, TrainingSettings())
    with pytest.raises(RunError, match=r"another recipe \(seed: 7 or 8\)"):
        train(replace(RECIPE, seed=8), data, run, OFTEN)
    with pytest.raises(RunError, match="trained on other clips"):
        train(RECIPE, TrainingData([held_out]), run, OFTEN)
    with pytest.raises(BenchError, match="no stage 'finetune'"):
        train(RECIPE, data, run, replace(OFTEN, until="finetune"))
    with pytest.raises(BenchError, match="cannot be shared equally by 3"):
        train(RECIPE, data, run, replace(OFTEN, n_accumulated=3))
    with pytest.raises(RunError, match="must be 1 or more"):
        TrainingSettings(keep=0)
    other = replace(RECIPE, params=replace(PARAMS, width=16))
    with pytest.raises(RunError, match="the network to begin with has"):
        train(other, data, tmp_path / "new", OFTEN, initial=network)


def test_a_damaged_checkpoint_is_refused_by_name(tmp_path, features):
    recipe = replace(RECIPE, stages=(Stage("overlap", 1, "inside"),))
    train(recipe, TrainingData([features]), tmp_path, TrainingSettings())
    [path] = list_checkpoints(tmp_path).values()
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BenchError, match=r"checkpoint-00000001\.safetensors is damaged"):
        train(recipe, TrainingData([features]), tmp_path, TrainingSettings(resume=True))


def test_learning_rates_are_those_of_the_schedule(tmp_path, features):
    rates = []
    schedule = Schedule(1e-3, 2, (1, 3))
    settings = TrainingSettings(on_step=lambda report: rates.append(report.learning_rate))
    recipe = replace(RECIPE, schedule=schedule, stages=(Stage("overlap", 6, "inside"),))
    train(recipe, TrainingData([features]), tmp_path, settings)
    assert rates == [schedule.rate(step) for step in range(6)]
