"""fit: parts that do not go together, and devices that are not there."""

import numpy as np
import pytest
import torch

import polyexp as p

pytestmark = pytest.mark.numeric


NO_AUTOGRAD = (
    "needs autograd, which `backend=numpy` does not offer: type `backend=torch`, or `loop=manual`."  # after the loop
)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"backend": p.NumPy(), "loop": p.Autograd()}, f"`loop=autograd` {NO_AUTOGRAD}"),
        ({"backend": p.NumPy(), "loop": p.CustomFunction()}, f"`loop=custom_function` {NO_AUTOGRAD}"),
        (
            {"backend": p.NumPy(), "device": p.CUDA()},
            "`device=cuda` does not work with `backend=numpy`, which offers cpu: type `backend=torch`, or `device=cpu`.",
        ),
        ({"params": [1, 2]}, "params must have shape (*runs, 8), got (2,)."),
        ({"params": [[1] * 7]}, "params must have shape (*runs, 8), got (1, 7)."),
        ({"params": [np.nan] * 8}, f"`params` must be finite numbers, got {[np.nan] * 8}."),
        ({"seed": -1}, "`seed` must be a whole number from 0 to 4294967295 or a sequence of them, got -1."),
        ({"seed": []}, "`seed` must be a whole number from 0 to 4294967295 or a sequence of them, got []."),
    ],
)
def test_parts_that_do_not_go_together(parts, message):
    with pytest.raises(p.InputError) as caught:
        p.fit(p.Problem(), p.PowerSeries(), **parts)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "parts",
    [
        {"seed": [1, 2, 3], "optimizer": p.GradientDescent([0.1, 0.2])},
        {"params": np.ones((3, 8)), "optimizer": p.GradientDescent([0.1, 0.2])},
        {"optimizer": p.Momentum([0.1, 0.2], [0.1, 0.2, 0.3])},
    ],
)
def test_runs_that_do_not_go_together(parts):
    wanted = "The seeds, params and optimizer settings must be for the same number of runs: "
    with pytest.raises(p.InputError, match=wanted):
        p.fit(p.Problem(), p.PowerSeries(), **parts)


def test_cuda_where_there_is_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(p.InputError) as caught:
        p.fit(p.Problem(), p.PowerSeries(), device=p.CUDA())
    assert str(caught.value) == (
        f"`device=cuda` needs a CUDA GPU, and torch {torch.__version__} sees none here: "
        "type `device=cpu`, or `device=auto` for a GPU wherever there is one."
    )


@pytest.mark.parametrize(("count", "there"), [(1, "only GPU 0"), (4, "GPUs 0 to 3")])
def test_a_cuda_index_that_there_is_not(monkeypatch, count, there):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    with pytest.raises(p.InputError) as caught:
        p.Torch().on_device(p.CUDA(index=7))
    assert str(caught.value) == f"`device.index` must name a GPU that exists ({there} here), got 7."
    assert str(p.Torch().on_device(p.CUDA(index=0)).device) == "cuda:0"


@pytest.mark.parametrize(
    ("backend_class", "count", "resolved"),
    [(p.Torch, 0, "cpu"), (p.Torch, 1, "cpu"), (p.Torch, 2, "cuda:1"), (p.NumPy, 2, "cpu")],
)
def test_auto_is_a_gpu_where_there_is_one(monkeypatch, backend_class, count, resolved):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    assert str(backend_class().on_device(p.Auto(index=1)).device) == resolved
