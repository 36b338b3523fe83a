"""One look for every picture: colours that the colour-blind tell apart, and letters that a pane of 600 pixels shows well.

Figures are made without pyplot, so that nothing is shared between them and nothing needs a display.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "COLOURS",
    "HIGHEST_ON_LOG",
    "LOWEST_ON_LOG",
    "Figure",
    "Palette",
    "figure",
    "legend",
    "log_axis",
    "plain",
    "save",
    "say",
    "shortened",
    "thinned",
]

Figure = Any
"""A matplotlib Figure; the library is imported when one is made."""

LEFT, RIGHT, BOTTOM, TOP = 0.85, 0.15, 0.62, 0.78  # inches around the axes; above them are title, note and legend
LABEL = 0.62  # inches from the y axis to its name: wide enough for 6 x 10^-1, and inside the picture
WIDTH = 6.0  # inches, of 100 pixels each in a pane of 600
DPI = 150
MAX_TITLE = 60  # letters
LOWEST_ON_LOG, HIGHEST_ON_LOG = 1e-200, 1e200  # on a logarithmic axis; its ticks reach further, and must not overflow


class Palette:
    """The colours of Okabe and Ito (2008), with a grey in place of their yellow, which white paper swallows."""

    BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
    VERMILLION, SKY, BLACK, GREY = "#D55E00", "#56B4E9", "#000000", "#777777"


COLOURS = (
    Palette.BLUE,
    Palette.ORANGE,
    Palette.GREEN,
    Palette.PURPLE,
    Palette.VERMILLION,
    Palette.SKY,
    Palette.BLACK,
    Palette.GREY,
)


def figure(
    title: str, note: str = "", *, rows: Sequence[float] = (1,), height: float = 4.0
) -> tuple[Figure, list[Any]]:
    """A figure with a bold title, a line of small print below it, and axes under each other of these relative heights."""
    from matplotlib.figure import Figure as New

    made = New(figsize=(WIDTH, height), dpi=DPI)
    made.set_facecolor("white")
    # Margins in inches: a layout that measures every text would double the time that a picture takes.
    place = {"left": LEFT / WIDTH, "right": 1 - RIGHT / WIDTH, "bottom": BOTTOM / height, "top": 1 - TOP / height}
    grid = {"height_ratios": list(rows), "hspace": 0.16, **place}
    axes = made.subplots(len(rows), 1, sharex=True, squeeze=False, gridspec_kw=grid)[:, 0]
    for ax in axes:
        ax.grid(color="#dddddd", linewidth=0.6)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=9)
        ax.tick_params(which="minor", labelsize=7.5)
        ax.yaxis.set_label_coords(-LABEL / (WIDTH - LEFT - RIGHT), 0.5)
    written: dict[str, Any] = {"x": 0.1 / WIDTH, "ha": "left", "va": "top", "parse_math": False}
    made.suptitle(plain(shortened(title, MAX_TITLE)), y=1 - 0.1 / height, fontsize=11, fontweight="bold", **written)
    made.text(y=1 - 0.33 / height, s=plain(note), fontsize=8.5, color="#444444", **written)
    return made, list(axes)


def legend(ax: Any, columns: int = 4) -> None:
    """The names of the curves above the axes, where they hide nothing."""
    handles, labels = ax.get_legend_handles_labels()
    if handles:
        ax.legend(
            handles,
            labels,
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=columns,
            frameon=False,
            fontsize=8.5,
            borderaxespad=0.2,
            columnspacing=1.2,
            handlelength=1.8,
        )


def log_axis(ax: Any, *curves: np.ndarray, otherwise: str) -> bool:
    """A logarithmic y axis around what these curves have above zero; where there are none, a sentence instead, and False."""
    shown = np.concatenate([np.ravel(curve) for curve in curves])
    shown = shown[(shown > LOWEST_ON_LOG) & (shown < HIGHEST_ON_LOG)]
    if not shown.size:
        ax.text(0.5, 0.5, otherwise, transform=ax.transAxes, ha="center", fontsize=10)
        ax.set_yticks([])
        return False
    low, high = np.log10(shown.min()), np.log10(shown.max())
    margin = max(0.05 * (high - low), 0.3)
    # The limits come first, as the scale would look for its own.
    ax.set_ylim(10 ** (low - margin), 10 ** (high + margin))
    ax.set_yscale("log")
    if high - low > 2:
        ax.minorticks_off()  # each of which costs as much time as a major one
    return True


def say(ax: Any, sentence: str) -> None:
    """A sentence in the upper right corner of the axes."""
    white = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 2}
    ax.text(
        0.99, 0.97, sentence, transform=ax.transAxes, ha="right", va="top", fontsize=8.5, color="#444444", bbox=white
    )


def plain(text: str) -> str:
    """Text with a question mark for every letter that the font does not have, such as those of a file's name."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties()))
    return "".join(letter if letter == "\n" or font.get_char_index(ord(letter)) else "?" for letter in text)


def thinned(size: int, most: int) -> np.ndarray:
    """The indices of at most so many of `size` things, evenly spread, the first and the last among them."""
    return np.unique(np.linspace(0, size - 1, min(size, most)).astype(int))


def shortened(name: str, most: int) -> str:
    """A name without its middle where it is longer than so many letters."""
    half = (most - 3) // 2
    return name if len(name) <= most else f"{name[:half]}...{name[-half:]}"


def save(made: Figure, path: Path) -> Path:
    """Write a figure as PNG; the same figure gives the same bytes."""
    made.savefig(path, metadata={"Software": None})
    return path
