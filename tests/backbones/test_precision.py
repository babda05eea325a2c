"""Networks in float32 compute in float32, whatever the process has set, which it gets back."""

from __future__ import annotations

import threading

import pytest
import torch

from bench.backbones.precision import full_precision


def settings() -> tuple[bool, bool]:
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


@pytest.fixture(autouse=True)
def rounded():
    """Both are on, as in a process that wants speed."""
    earlier = settings()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = earlier


def test_products_and_convolutions_are_exact_inside_and_as_before_after_it():
    with full_precision():
        assert settings() == (False, False)
        with full_precision():
            assert settings() == (False, False)
        assert settings() == (False, False)
    assert settings() == (True, True)


@full_precision()
def fail() -> None:
    assert settings() == (False, False)
    raise ZeroDivisionError


def test_they_are_restored_after_an_error():
    with pytest.raises(ZeroDivisionError):
        fail()
    assert settings() == (True, True)


def test_the_last_of_two_threads_restores_them():
    inside, leave = threading.Event(), threading.Event()

    def work() -> None:
        with full_precision():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=work)
    with full_precision():
        thread.start()
        assert inside.wait(10)
    assert settings() == (False, False)
    leave.set()
    thread.join(10)
    assert settings() == (True, True)
