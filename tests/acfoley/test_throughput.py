"""What a GPU needs and a CPU can show: no waits within steps, batches that fit, equal audio."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from threading import Thread
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import acfoley.generate
import acfoley.memory
from acfoley.generate import Job, Settings
from acfoley.memory import GIBIBYTE, fitting_batch, measure_batch
from acfoley.mini.variants import open_mini
from acfoley.network.conditions import Features
from acfoley.network.flow_network import FlowNetwork
from acfoley.network.initialise import new_network
from acfoley.params import PRESETS, sequence_lengths
from acfoley.sampling import classifier_free_guidance, euler, noise_for
from bench.types import Audio
from tests.acfoley.fakes import fake_model
from tests.acfoley.seeded import NARROW, drawn_features, seeded_state


class Recorder(TorchDispatchMode):
    """Counts the operations that read a value on the host or have tensors of two devices."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: Counter[str] = Counter()
        self.n_seen = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        self.n_seen += 1
        flat = torch.utils._pytree.tree_leaves((args, kwargs, result))
        devices = {
            each.device.type for each in flat if isinstance(each, torch.Tensor) and each.dim()
        }
        if len(devices) > 1 or "_local_scalar_dense" in str(function):
            self.waits[str(function)] += 1
        return result


def steps(device: str, on_step=None) -> Recorder:
    lengths = sequence_lengths(1.0)
    network = FlowNetwork(NARROW) if device == "cpu" else FlowNetwork(NARROW).to(device)
    features = drawn_features("x", 2, lengths).to(device)
    with torch.no_grad():
        known, empty = (network.conditions(each, lengths) for each in (features, Features()))
        velocity = classifier_free_guidance(network, known, empty)
        noise = noise_for([1, 2], lengths.latents).to(device)
        recorder = Recorder()
        done = []

        def guided(latents, times):
            # Of the loop alone: what is copied once, before the first step, costs nothing.
            with recorder:
                found = velocity(latents, times)
                if on_step is not None:
                    on_step(found)
            done.append(times.device.type)
            return found

        euler(guided, noise, 3)
    assert done == [device] * 3
    return recorder


def test_no_step_reads_a_value_on_the_host_or_copies_between_devices():
    # Tensors on the device "meta" have no values: reading one raises.
    found = steps("meta")
    assert found.n_seen > 100
    assert not found.waits
    assert not steps("cpu").waits


def test_the_recorder_finds_what_waits():
    assert steps("cpu", lambda found: found.sum().item()).waits
    with pytest.raises(RuntimeError, match="meta"):
        steps("meta", lambda found: found.sum().item())


def test_the_loop_itself_copies_its_times_once():
    with Recorder() as recorder:
        euler(lambda latents, times: latents, torch.zeros(2, 3, 4, device="meta"), 25)
    copies = [n for name, n in recorder.waits.items() if "_local_scalar_dense" not in name]
    assert copies == [1]


def test_what_fits_follows_from_two_peaks():
    gib = GIBIBYTE
    assert fitting_batch(3 * gib, 4 * gib, 20 * gib) == 15  # 17 usable, 2 of them for any number
    assert fitting_batch(gib, 2 * gib, 0) == 1
    assert fitting_batch(4 * gib, 6 * gib, 2 * gib) == 1
    assert fitting_batch(gib, gib, 10 * gib) > 1_000


def test_jobs_are_split_by_what_was_measured_once_for_each_length(monkeypatch):
    model, asked = fake_model(), []
    monkeypatch.setattr(
        acfoley.generate, "measure_batch", lambda work, device: (asked.append(work(2)), 2)[1]
    )
    monkeypatch.setattr(model, "_device", torch.device("cuda"))
    monkeypatch.setattr(acfoley.generate.torch.Tensor, "to", lambda self, *a, **k: self)
    jobs = [Job(seconds=s, seed=i) for i, s in enumerate((1.0, 1.0, 1.5, 1.0, 1.0, 1.0))]
    assert model._batches(jobs) == [[0, 1], [3, 4], [5], [2]]
    assert model._batches(jobs[:2]) == [[0, 1]]
    assert len(asked) == 1  # a single clip of a length is not measured: two may not fit


@pytest.mark.parametrize("n_clips", [3, 8])
def test_latents_of_the_mini_model_do_not_depend_on_the_batch(n_clips, monkeypatch):
    model = open_mini()
    found: list[torch.Tensor] = []

    def decode(latents, seconds):
        found.append(latents)
        return [Audio(np.zeros((1, 8), np.float32), 44_100)] * len(latents)

    monkeypatch.setattr(model, "_decode", decode)
    rng = np.random.default_rng(0)
    jobs = [
        Job(
            seconds=1.0,
            seed=seed,
            prompt=f"striking {['wood', 'metal', 'glass'][seed % 3]}",
            reference=Audio(rng.normal(0, 0.1, (1, 44_100)).astype(np.float32), 44_100),
        )
        for seed in range(n_clips)
    ]
    settings = Settings(n_steps=25)
    model.generate_batch(jobs, settings)
    for index in (0, n_clips - 1):
        model.generate_batch([jobs[index]], settings)
        torch.testing.assert_close(found[-1][0], found[0][index], rtol=0, atol=1e-4)
    assert not torch.allclose(found[0][0], found[0][-1], atol=0.1)


@pytest.mark.slow
@torch.inference_mode()
def test_a_network_as_wide_as_the_published_one_gives_a_clip_the_same_velocity_in_any_batch():
    params = replace(PRESETS["acfoley"], n_joint_blocks=1, n_fused_blocks=1)
    network = new_network(params, seed=0)
    network.load_state_dict(seeded_state(params, {}))
    lengths = sequence_lengths(1.0)
    features, times = drawn_features("wide", 3, lengths), torch.full((3,), 0.4)
    noise = noise_for([1, 2, 3], lengths.latents)
    together = network(noise, times, network.conditions(features, lengths))
    first = Features(
        **{name: features.get(name)[1:2] for name in ("audio", "sync", "video", "text")}
    )
    alone = network(noise[1:2], times[:1], network.conditions(first, lengths))
    torch.testing.assert_close(alone[0], together[1], rtol=0, atol=1e-4)
    assert not torch.allclose(together[0], together[1], atol=0.1)


def test_clips_are_generated_in_full_precision_and_settings_restored(monkeypatch):
    model, found = fake_model(), []
    cudnn = torch.backends.cudnn

    def record(decode, *arguments):
        found.append(cudnn.allow_tf32)
        return decode(*arguments)

    monkeypatch.setattr(model.codec, "decode", partial(record, model.codec.decode))
    with monkeypatch.context() as patch:
        patch.setattr(cudnn, "allow_tf32", True)
        model.generate([Job(seconds=1.0, seed=1)], Settings(n_steps=1))
        assert cudnn.allow_tf32
    assert found == [False]


def test_memory_is_measured_without_compiling(monkeypatch):
    model, shapes = fake_model(), []
    network = model.network
    monkeypatch.setattr(network, "_compiled_call_impl", lambda *a: shapes.append(a), raising=False)
    model._try_flow(1.0, 2)
    assert not shapes
    with pytest.raises(AttributeError):  # what the stand-in returns is no velocity
        model.generate([Job(seconds=1.0, seed=1)], Settings(n_steps=1))
    assert len(shapes) == 1


def test_compiled_networks_are_given_batches_of_one_size_for_each_length(monkeypatch):
    model, sizes = fake_model(), []
    monkeypatch.setattr(model.network, "compile", lambda **options: sizes.append(options))
    model.compile()
    monkeypatch.setattr(model, "_batches", lambda jobs: [[0, 1, 2], [3], [4]])
    generate_batch = model.generate_batch

    def record(jobs, *arguments, **options):
        sizes.append(len(jobs))
        return generate_batch(jobs, *arguments, **options)

    monkeypatch.setattr(model, "generate_batch", record)
    jobs = [Job(seconds=s, seed=i) for i, s in enumerate((1.0, 1.0, 1.0, 1.0, 1.5))]
    found = model.generate(jobs, Settings(n_steps=1))
    assert sizes == [{"dynamic": False}, 3, 3, 1]
    plain = fake_model().generate(jobs, Settings(n_steps=1))
    for one, other in zip(found, plain, strict=True):
        np.testing.assert_allclose(one.samples, other.samples, rtol=0, atol=1e-5)


def test_nothing_is_encoded_while_memory_is_measured(monkeypatch):
    model, found = fake_model(), []

    def measure(work, device):
        def try_to_encode():
            is_free = model.encoders._working.acquire(timeout=0.05)
            found.append(is_free)

        other = Thread(target=try_to_encode)
        other.start()
        other.join()
        return 2

    monkeypatch.setattr(acfoley.generate, "measure_batch", measure)
    assert model._fitting_clips("flow", 1.0, lambda n: None) == 2
    assert found == [False]
    assert model.encoders._working.acquire(timeout=1)  # and goes on afterwards


def test_room_for_encoders_is_left(monkeypatch):
    peaks = iter([GIBIBYTE, 2 * GIBIBYTE])
    cuda = SimpleNamespace(
        synchronize=lambda device: None,
        empty_cache=lambda: None,
        reset_peak_memory_stats=lambda device: None,
        memory_allocated=lambda device: 0,
        max_memory_allocated=lambda device: next(peaks),
        OutOfMemoryError=torch.OutOfMemoryError,
    )
    monkeypatch.setattr(
        acfoley.memory, "torch", SimpleNamespace(cuda=cuda, OutOfMemoryError=torch.OutOfMemoryError)
    )
    monkeypatch.setattr(acfoley.memory, "free_bytes", lambda device: 12 * GIBIBYTE)
    assert measure_batch(lambda n: None, torch.device("cuda")) == 8  # 85 % of 10 GiB
