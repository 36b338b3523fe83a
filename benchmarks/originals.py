"""The four programs that polyexp grew out of: in our own words, with their arithmetic, without their printing.

All fit sin(x) on [-pi, pi] by gradient descent over all samples. Each takes its number of steps and returns the loss at the
parameters before the last update, which is the one the programs print, and the final parameters.

A, B and C fit w_0 + w_1 x + ... + w_7 x^7 to the mean of squares; D is the tutorial "Defining new autograd functions" of
PyTorch, which fits a + b P_3(c + d x) to the sum of squares.
"""

import math

import numpy as np
import torch

A_START = np.random.RandomState(0).random_sample(8).tolist()  # np.random.seed(0); np.random.random(8)
C_START = torch.randn(8, generator=torch.Generator().manual_seed(0)).tolist()  # torch.manual_seed(0); torch.randn(8)
D_START = [0.0, -1.0, 0.0, 0.3]


def numpy_manual(steps=4000, start=A_START, learning_rate=1e-6):
    """A: NumPy in float64, every power computed anew in every step."""
    x = np.linspace(-math.pi, math.pi, 4000)
    y = np.sin(x)
    w = np.array(start)
    for _ in range(steps):
        prediction = sum(w[k] * x**k for k in range(len(w)))
        error = prediction - y
        loss = np.mean(error**2)
        gradient = np.array([2 * np.mean(error * x**k) for k in range(len(w))])
        w = w - learning_rate * gradient
    return float(loss), w.tolist()


def torch_manual(steps=4000, start=C_START, learning_rate=1e-6):
    """B: the same in torch and float32."""
    x = torch.linspace(-math.pi, math.pi, 4000)
    y = torch.sin(x)
    w = torch.tensor(start)
    for _ in range(steps):
        prediction = sum(w[k] * x**k for k in range(len(w)))
        error = prediction - y
        loss = torch.mean(error**2)
        gradient = torch.stack([2 * torch.mean(error * x**k) for k in range(len(w))])
        w = w - learning_rate * gradient
    return loss.item(), w.tolist()


def torch_autograd(steps=4000, start=C_START, learning_rate=1e-6):
    """C: the same, the gradient by autograd."""
    x = torch.linspace(-math.pi, math.pi, 4000)
    y = torch.sin(x)
    w = torch.tensor(start, requires_grad=True)
    for _ in range(steps):
        prediction = sum(w[k] * x**k for k in range(len(w)))
        loss = torch.mean((prediction - y) ** 2)
        loss.backward()
        with torch.no_grad():
            w -= learning_rate * w.grad
            w.grad.zero_()
    return loss.item(), w.tolist()


class LegendrePolynomial3(torch.autograd.Function):
    """P_3(z) = (5 z^3 - 3 z) / 2, differentiated by hand."""

    @staticmethod
    def forward(ctx, z):
        ctx.save_for_backward(z)
        return 0.5 * (5 * z**3 - 3 * z)

    @staticmethod
    def backward(ctx, grad_output):
        (z,) = ctx.saved_tensors
        return grad_output * 1.5 * (5 * z**2 - 1)


def torch_function(steps=2000, start=D_START, learning_rate=5e-6):
    """D: four scalar parameters, and P_3 as a custom autograd Function."""
    x = torch.linspace(-math.pi, math.pi, 2000)
    y = torch.sin(x)
    a, b, c, d = (torch.full((), value, requires_grad=True) for value in start)
    for _ in range(steps):
        prediction = a + b * LegendrePolynomial3.apply(c + d * x)
        loss = (prediction - y).pow(2).sum()
        loss.backward()
        with torch.no_grad():
            for parameter in (a, b, c, d):
                parameter -= learning_rate * parameter.grad
                parameter.grad = None
    return loss.item(), [parameter.item() for parameter in (a, b, c, d)]
