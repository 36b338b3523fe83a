"""The same jobs by PyTorch Lightning and by scikit-learn, set up as favourably as they allow."""

import logging
import math
import warnings

import numpy as np
import torch
from numpy.polynomial import Legendre, legendre

from benchmarks.originals import C_START

DEGREE = 7
EXCESS = 1e-6


def lightning_trainer(steps: int = 4000, start: list[float] = C_START) -> tuple[float, list[float]]:
    """Program C's problem by Lightning's Trainer: no logging, no checkpoints, no progress bar, all steps in one epoch."""
    import lightning

    class PowerSeries(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.tensor(start))
            self.last = torch.tensor(0.0)

        def training_step(self, batch, index):
            features, y = batch
            self.last = torch.mean((features @ self.w - y) ** 2)
            return self.last

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=1e-6)

    x = torch.linspace(-math.pi, math.pi, 4000)
    batch = (torch.stack([x**k for k in range(DEGREE + 1)], 1), torch.sin(x))
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", devices=1, barebones=True)
        model = PowerSeries()
        trainer.fit(model, torch.utils.data.DataLoader([batch] * steps, batch_size=None))
    return float(model.last.detach()), model.w.tolist()


def sgd_regressor(excess: float) -> np.ndarray:
    """Epochs of stochastic gradient descent on a Legendre series, from zeros, until its loss is within `excess` of the best.

    Returns the coefficients in x by ascending power.
    """
    from sklearn.linear_model import SGDRegressor

    x = np.linspace(-math.pi, math.pi, 4000)
    features, y = legendre.legvander(x / math.pi, DEGREE), np.sin(x)
    best = np.mean((features @ np.linalg.lstsq(features, y)[0] - y) ** 2)
    model = SGDRegressor(penalty=None, fit_intercept=False, learning_rate="constant", eta0=0.1, random_state=0)
    while True:
        model.partial_fit(features, y)
        if np.mean((model.predict(features) - y) ** 2) - best <= excess:
            break
    series = Legendre(model.coef_, domain=[-math.pi, math.pi])
    return series.convert(kind=np.polynomial.Polynomial).coef
