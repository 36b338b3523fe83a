"""The common style of all pictures.

The colours can be distinguished by colour-blind readers, and the characters can be read where a picture is 600 pixels wide.
Figures are made without pyplot, so that nothing is shared between them and nothing needs a display.
"""

import re
from collections.abc import Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from polyexp.base import import_optional, printable, save_bytes

__all__ = [
    "COLOURS",
    "HIGHEST_ON_LOG_AXIS",
    "LOWEST_ON_LOG_AXIS",
    "MAX_AXIS_NAME_CHARACTERS",
    "MAX_TITLE_CHARACTERS",
    "WIDTH_INCHES",
    "Figure",
    "Palette",
    "annotate",
    "axis_name",
    "colour_scale",
    "figure",
    "legend",
    "legend_below",
    "log_axis",
    "log_steps",
    "plain",
    "png",
    "power_ticks",
    "save",
    "shortened",
    "thinned",
    "thinned_history",
]

Figure = Any
"""A matplotlib Figure; matplotlib is imported only when a figure is made, because the import is slow."""

# The margins around the axes, in inches; title, note and legend are in the upper one.
LEFT_INCHES, RIGHT_INCHES = 0.85, 0.15
BOTTOM_INCHES, TOP_INCHES = 0.62, 0.78
LABEL_INCHES = 0.62  # from the y axis to its name: leaves room for the tick 6 x 10^-1, and is inside the left margin
WIDTH_INCHES = 6.0  # of a picture; an inch is 100 pixels where MLflow shows the picture 600 pixels wide
DOTS_PER_INCH = 150
MAX_TITLE_CHARACTERS = 60  # as many as fit into the width of a picture
MAX_AXIS_NAME_CHARACTERS = 24  # as many as fit beside the shorter axes
STEP_TICKS = 8  # of a logarithmic axis of steps that has more decades; each is labelled
# The values that a logarithmic axis shows; matplotlib puts ticks beyond them, and these must not overflow either.
LOWEST_ON_LOG_AXIS, HIGHEST_ON_LOG_AXIS = 1e-200, 1e200
# The label of a tick of a logarithmic axis, as a formula of matplotlib's.
TICK_FORMULA = re.compile(r"\$\\mathdefault\{(.*?)(?:\^\{(-?\d+)\})?\}\$")
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Palette:
    """The colours of Okabe and Ito (2008), with a grey in place of their yellow, which is hardly visible on white."""

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
    title: str,
    note: str = "",
    *,
    rows: Sequence[float] = (1,),
    height: float = 4.0,
    below: float = 0.0,
    one_x: bool = True,
    interactive: bool = False,
) -> tuple[Figure, list[Any]]:
    """A matplotlib figure with a bold title, a note below it, and one or more axes below each other.

    Args:
        title: The title, shortened in its middle to 60 characters.
        note: A line of small print below the title.
        rows: The relative heights of the axes, one number for each.
        height: The height of the picture in inches.
        below: The height in inches that is left free below the axes, for a legend.
        one_x: Whether all axes have one x axis in common, at the bottom.
        interactive: Whether it is a figure of pyplot, which notebooks and `pyplot.show()` show, at their own resolution.
    """
    if interactive:
        made = import_optional("matplotlib.pyplot", "A picture").figure(figsize=(WIDTH_INCHES, height))
    else:
        from matplotlib.figure import Figure as MatplotlibFigure

        made = MatplotlibFigure(figsize=(WIDTH_INCHES, height), dpi=DOTS_PER_INCH)
    made.set_facecolor("white")
    # The margins are fixed: a layout engine, which measures every text, would double the time that a picture takes.
    margins = {
        "left": LEFT_INCHES / WIDTH_INCHES,
        "right": 1 - RIGHT_INCHES / WIDTH_INCHES,
        "bottom": (BOTTOM_INCHES + below) / height,
        "top": 1 - TOP_INCHES / height,
    }
    grid = {"height_ratios": list(rows), "hspace": 0.16 if one_x else 0.32, **margins}
    axes = made.subplots(len(rows), 1, sharex=one_x, squeeze=False, gridspec_kw=grid)[:, 0]
    for ax in axes:
        ax.grid(color="#dddddd", linewidth=0.6)
        ax.set_axisbelow(True)
        ax.spines[["top", "right"]].set_visible(False)
        ax.tick_params(labelsize=9)
        ax.tick_params(which="minor", labelsize=7.5)
        ax.yaxis.set_label_coords(-LABEL_INCHES / (WIDTH_INCHES - LEFT_INCHES - RIGHT_INCHES), 0.5)
    text_style: dict[str, Any] = {"x": 0.1 / WIDTH_INCHES, "ha": "left", "va": "top", "parse_math": False}
    made.suptitle(
        shortened(plain(title), MAX_TITLE_CHARACTERS), y=1 - 0.1 / height, fontsize=11, fontweight="bold", **text_style
    )
    made.text(y=1 - 0.33 / height, s=plain(note), fontsize=8.5, color="#444444", **text_style)
    return made, list(axes)


def legend(ax: Any, columns: int = 4) -> None:
    """Draw a legend above the axes, where it hides no curve; none where no curve has a label."""
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


def legend_below(made: Figure, ax: Any, columns: int) -> None:
    """Draw the legend of a figure at its lower edge, below the axes, which must leave room for it."""
    made.legend(
        *ax.get_legend_handles_labels(),
        loc="lower left",
        bbox_to_anchor=(0.01, 0.05 / made.get_figheight()),
        ncols=columns,
        frameon=False,
        fontsize=8.5,
        borderaxespad=0,
        labelspacing=0.3,
    )


def log_axis(ax: Any, *curves: np.ndarray, otherwise: str, along: str = "y") -> bool:
    """Make the y axis logarithmic, around the values of these curves that it can show, and return whether there are any.

    Args:
        ax: The matplotlib axes.
        curves: The values of the curves, arrays of any shape; values that are not above zero, nan and inf are left out.
        otherwise: The sentence that is written into the axes where no value can be shown.
        along: The axis, "x" or "y".
    """
    shown = np.concatenate([np.ravel(curve) for curve in curves])
    shown = shown[(shown > LOWEST_ON_LOG_AXIS) & (shown < HIGHEST_ON_LOG_AXIS)]
    if not shown.size:
        ax.text(0.5, 0.5, otherwise, transform=ax.transAxes, ha="center", fontsize=10)
        ax.set(**{f"{along}ticks": []})
        return False
    low, high = np.log10(shown.min()), np.log10(shown.max())
    margin = max(0.05 * (high - low), 0.3)
    # The limits are set before the scale, which would otherwise search all data for limits of its own.
    ax.set(**{f"{along}lim": (10 ** (low - margin), 10 ** (high + margin))})
    ax.set(**{f"{along}scale": "log"})
    power_ticks(ax.xaxis if along == "x" else ax.yaxis)
    if high - low > 2:
        ax.minorticks_off()  # drawing a minor tick takes as much time as drawing a major one
    return True


def log_steps(ax: Any, *, from_zero: bool = True) -> None:
    """Make the x axis, of steps, logarithmic from 1 on; where it begins at 0, this is a decade before 1."""
    if from_zero:
        ax.set_xscale("symlog", linthresh=1)
        ax.xaxis.get_major_locator().set_params(numticks=STEP_TICKS)
    else:
        ax.set_xscale("log")
    power_ticks(ax.xaxis)


def power_ticks(axis: Any) -> None:
    """Label the ticks of a logarithmic axis by text, such as 10³: with formulas a picture would take half as long again."""
    axis.set_major_formatter(_power_formatter()())
    if axis.get_scale() == "log":
        axis.set_minor_formatter(_power_formatter()())  # which labels as many as there is room for


@cache
def _power_formatter() -> Any:
    """The class of the formatter of matplotlib's whose labels are text."""
    from matplotlib.ticker import LogFormatterSciNotation

    class PowerFormatter(LogFormatterSciNotation):  # type: ignore[misc, unused-ignore]
        def __call__(self, x: float, pos: int | None = None) -> str:
            return TICK_FORMULA.sub(_as_text, super().__call__(x, pos))

    return PowerFormatter


def _as_text(formula: re.Match[str]) -> str:
    """The label of a tick as text: for the formula 10^{-1} the same with superscripts."""
    number, exponent = formula.groups("")
    for command, character in (("-", "\N{MINUS SIGN}"), (r"\times", "\N{MULTIPLICATION SIGN}")):
        number = number.replace(command, character)
    return number + exponent.translate(SUPERSCRIPTS)


def colour_scale() -> Any:
    """The colours of numbers, which are of even lightness and made for colour-blind readers.

    They are those of Nuñez, Anderton and Renslow (2018).
    """
    from matplotlib import colormaps

    return colormaps["cividis"]


def annotate(ax: Any, sentence: str) -> None:
    """Write a sentence into the upper right corner of the axes."""
    white = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 2}
    ax.text(
        0.99, 0.97, sentence, transform=ax.transAxes, ha="right", va="top", fontsize=8.5, color="#444444", bbox=white
    )


def plain(text: str) -> str:
    """The text with escaped control characters, and a question mark for every character that the font does not have."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    font = get_font(findfont(FontProperties()))
    return "".join(one if font.get_char_index(ord(one)) else "?" for one in printable(text))


def axis_name(name: str, most: int = MAX_AXIS_NAME_CHARACTERS) -> str:
    """A name of a user's, as text of at most `most` characters beside an axis; a $ in it begins no formula."""
    return plain(shortened(printable(name), most)).replace("$", r"\$")


def thinned(size: int, most: int) -> np.ndarray:
    """Evenly spread indices of at most `most` of `size` elements, with the first and the last."""
    return np.unique(np.linspace(0, size - 1, min(size, most)).astype(int))


def thinned_history(size: int, most: int) -> np.ndarray:
    """Indices of at most `most` of `size` snapshots, half of them evenly spread, the others denser at the beginning.

    The fall of a loss is steepest there. The first and the last index are among them.
    """
    if size <= most:
        return np.arange(size)
    early = np.geomspace(1, size, most // 2).astype(int) - 1
    return np.unique(np.concatenate([thinned(size, most - early.size), early]))


def shortened(name: str, most: int) -> str:
    """The name, with "..." in place of its middle where it is longer than `most` characters."""
    half = (most - 3) // 2
    return name if len(name) <= most else f"{name[:half]}...{name[-half:]}"


def png(made: Figure) -> bytes:
    """A figure as the content of a PNG file; equal figures give equal bytes."""
    stream = BytesIO()
    # matplotlib would write its version and its address into the file.
    made.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def save(made: Figure, path: Path) -> Path:
    """Write a figure as a PNG file and return its path."""
    save_bytes(path, png(made))
    return path
