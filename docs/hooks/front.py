"""The picture of the README and of the first page: `python -m docs.hooks.front`. It is committed."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from polyexp import GradientDescent, LegendreSeries, Manual, NumPy, PowerSeries, Problem, Result, fit
from polyexp.report.axes import Palette

PICTURE = Path(__file__).parents[1] / "images" / "powers-and-legendre.png"


def front_figure(powers: Result, legendre: Result) -> Figure:
    """The loss of two fits by step, and their curves beside sin(x)."""
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    losses, curves = figure.subplots(1, 2)
    x = np.linspace(-np.pi, np.pi, 400)
    curves.plot(x, np.sin(x), color="0.75", linewidth=7, label="sin(x)")
    styles = {"powers of x": (powers, Palette.VERMILLION, "--"), "Legendre series": (legendre, Palette.BLUE, "-")}
    for label, (result, colour, line) in styles.items():
        losses.plot(result.history.step, result.history.loss, line, color=colour, label=label)
        curves.plot(x, result(x), line, color=colour, label=f"{label}, loss {result.loss:.3g}")
    losses.set(xscale="log", yscale="log", xlabel="step", ylabel="loss", title="Gradient descent, degree 7")
    curves.set(ylim=(-2.2, 2.2), xlabel="x", title="After 4000 steps")
    losses.legend(frameon=False)
    curves.legend(frameon=False, loc="upper left", fontsize=9)
    for ax in (losses, curves):
        ax.grid(color="0.9")
        ax.spines[["top", "right"]].set_visible(False)
    return figure


def main() -> None:
    """Write the picture."""
    loop, problem = Manual(steps=4000, log_every=1), Problem("sin")
    powers = fit(problem, PowerSeries(degree=7), loop=loop, optimizer=GradientDescent(1e-6), backend=NumPy())
    legendre = fit(problem, LegendreSeries(degree=7), loop=loop, optimizer=GradientDescent("auto"), backend=NumPy())
    front_figure(powers, legendre).savefig(PICTURE, dpi=110)


if __name__ == "__main__":
    main()
