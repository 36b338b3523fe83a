"""The same settings on the same machine give the same bits."""

import os

import pytest
import torch

import polyexp as p


def test_a_gpu_is_asked_for_the_same_bits_every_time(monkeypatch):
    monkeypatch.setattr(p.Torch, "devices", lambda self: ("cpu", "cuda:0"))
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    before = torch.are_deterministic_algorithms_enabled()
    try:
        p.Torch().on_device(p.CUDA())
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.is_deterministic_algorithms_warn_only_enabled()
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    finally:
        torch.use_deterministic_algorithms(before)


PLACES = [
    (p.NumPy, 1),
    (p.NumPy, 2),
    (p.Torch, 1),
    (p.Torch, 2),
    (p.JAX, 1),
]  # a process has one number of threads of JAX


@pytest.mark.parametrize(("backend", "threads"), PLACES, ids=[f"{one.__name__}-{threads}" for one, threads in PLACES])
def test_a_repeated_fit_has_the_same_bits(backend, threads):
    problem, loop = p.Problem("sin", num_samples=3000, reduction="none"), p.Manual(steps=50, log_every=10)
    device = p.CPU(threads=threads)
    fits = [p.fit(problem, p.PowerSeries(degree=7), loop=loop, backend=backend(), device=device) for _ in range(2)]
    assert fits[0].params.tobytes() == fits[1].params.tobytes()
    assert fits[0].history.loss.tobytes() == fits[1].history.loss.tobytes()
