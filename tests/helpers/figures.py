"""Runs whose pictures, pages and descriptions the tests check."""

from typing import Any

import numpy as np

import polyexp as p
from polyexp.exact import forecast
from polyexp.model import degree_in_x
from polyexp.problem import samples_for
from polyexp.report.figures import displayed_data

AUTO = p.GradientDescent("auto")
# Two steps at the best rate, which no warning calls hopeless.
QUICK = (
    "backend=numpy",
    "problem.num_samples=20",
    "model.degree=3",
    "loop.steps=2",
    "optimizer.learning_rate=auto",
    "quiet=true",
)


class Run:
    """A fit with everything that its pictures are made from."""

    def __init__(
        self,
        problem: p.Problem | p.Samples | None = None,
        model: p.Model | None = None,
        loop: p.Loop | None = None,
        optimizer: p.Optimizer | None = None,
        seed: int = 0,
    ) -> None:
        source: Any = problem or p.Problem(num_samples=50)
        model, loop, optimizer = model or p.PowerSeries(), loop or p.Manual(), optimizer or p.GradientDescent()
        is_samples = isinstance(source, p.Samples)
        samples = source if is_samples else samples_for(source, degree_in_x(model), seed)
        bound = model.on_domain(samples.domain)
        self.forecast = forecast(bound, loop, optimizer, samples, bound.initial_params(seed))
        reduced = None if is_samples else samples
        self.result = p.fit(
            source, model, loop=loop, optimizer=optimizer, backend=p.NumPy(), seed=seed, samples=reduced
        )
        self.displayed = displayed_data(self.result, None if is_samples else source, seed)


class Wave(p.Model):
    """y = a sin(b x): no polynomial."""

    choice = "wave"
    param_names = ("a", "b")

    def features(self, x: Any) -> Any:
        return x

    def forward(self, params: Any, features: Any) -> Any:
        return params[..., :1] * np.sin(params[..., 1:] * features)

    def backward(self, params: Any, features: Any, grad_y: Any) -> Any:
        a, z = params[..., :1], params[..., 1:] * features
        return np.stack([(grad_y * np.sin(z)).sum(-1), (grad_y * a * features * np.cos(z)).sum(-1)], -1)

    def formula(self, params: Any) -> str:
        return "y = a sin(b x)"
