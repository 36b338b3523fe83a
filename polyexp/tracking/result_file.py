"""The content of result.json as it is read back: validated, since a record is data that anybody may have written.

Only what is used is kept. Numbers are finite, texts are one line, and lists have the length that the model requires.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from polyexp.base import Component, InputError, cut, finite, number_list, require, whole
from polyexp.model import Model

__all__ = ["NoFormulaError", "ResultFile", "fitted", "parsed"]

MAX_COEFFICIENTS = 10_000  # of a power series; the models of polyexp have at most 1001
MAX_SAMPLES = MAX_STEPS = 2**63 - 1
INTERVAL = "[low, high] with low <= high, both finite"


class NoFormulaError(InputError):
    """A sound record from which no formula can be made."""


@dataclass(frozen=True)
class ResultFile:
    """What is used of a result.json.

    Args:
        outcome: The name of the outcome; empty where it is not recorded.
        total: The number of samples.
        domain: The interval [low, high] of their x; None where it is not recorded.
        loss: The final loss; None where it is not recorded or not finite, as that of a run that diverged may be.
        excess: The final excess, likewise.
        best_loss: The best loss, likewise.
        steps: The number of updates of the final parameters; None where it is not recorded.
        max_error: The largest error over the samples; None where it is not finite.
        parameters: The final parameters by name; None stands for one that is not finite.
        power_series: The coefficients of the powers of x, in the same form; None for a model that is not a polynomial.
        learning_rate: The learning rate that was used; None where it is not recorded.
        momentum: The momentum that was used, likewise.
        seconds: The time that the steps took; None where it is not recorded.
        computed_by: What computed the fit, as one line; empty where it is not recorded.
        config: The settings by their keys. Their values are those of any JSON file, and validated where they are used.
    """

    outcome: str
    total: int
    domain: tuple[float, float] | None
    loss: float | None
    excess: float | None
    best_loss: float | None
    steps: int | None
    max_error: float | None
    parameters: Mapping[str, float | None]
    power_series: Sequence[float | None] | None
    learning_rate: float | None
    momentum: float | None
    seconds: float | None
    computed_by: str
    config: Mapping[str, Any]

    @classmethod
    def of(cls, text: bytes) -> "ResultFile":
        """The content of a file.

        Args:
            text: The text of the file, in UTF-8.

        Raises:
            InputError: The text is not JSON, a key is missing or occurs twice, or a value is not allowed.
        """
        content = _object("its content", parsed(text))
        config = _object("config", _required(content, "config"))
        samples = _object("samples", _required(content, "samples"))
        parameters = _object("parameters", _required(content, "parameters"))
        total, series = _required(samples, "total"), _required(content, "power_series")
        whole("samples.total", total, 1, MAX_SAMPLES)
        if "steps" in content:
            whole("steps", content["steps"], 0, MAX_STEPS)
        if "seconds" in content:
            finite("seconds", content["seconds"], 0)
        for key in ("outcome", "computed_by"):
            if key in content:
                _texts("", content, key)
        _texts("config", config, "model", "problem")
        return cls(
            outcome=cut(str(content.get("outcome", ""))),
            total=total,
            # Runs of earlier versions have it in their settings only, and not at all where they were fitted to a data file.
            domain=_interval("samples.domain", samples.get("domain")) or _interval("problem.domain", config),
            loss=_number("loss", content.get("loss"), 0),
            excess=_number("excess_loss", content.get("excess_loss"), 0),  # a sum of squares, which rounding leaves so
            best_loss=_number("best_loss", content.get("best_loss"), 0),
            steps=content.get("steps"),
            max_error=_number("max_error", _required(content, "max_error"), 0),
            parameters={cut(name): _number(f"parameters.{cut(name)}", value) for name, value in parameters.items()},
            power_series=None if series is None else _numbers("power_series", series),
            learning_rate=_number("learning_rate.used", _used(content.get("learning_rate"))),
            momentum=_number("momentum", content.get("momentum")),
            seconds=_number("seconds", content.get("seconds")),
            computed_by=cut(content.get("computed_by", "")),
            config=config,
        )

    def word(self, key: str) -> str:
        """The setting of this key as one line of at most 80 characters; empty where it is not recorded, or no text."""
        value = self.config.get(key)
        return cut(" ".join(value.split())) if isinstance(value, str) else ""


def fitted(result: ResultFile) -> tuple[Model, np.ndarray, tuple[float, float]]:
    """The model on its domain, its final parameters of shape (K,), and the domain.

    Args:
        result: The content of a result.json.

    Raises:
        NoFormulaError: Where the parameters are not all finite, the domain is not recorded, or the model belongs to a plugin
            that is not installed.
        InputError: Where the settings or the parameters are not those of the model.
    """
    if result.domain is None:
        raise NoFormulaError("The domain on which the run was fitted is not recorded: fit it again.")
    model = _model(result)
    if set(result.parameters) != set(model.param_names):
        raise InputError(f"its parameters are not those of the model {model.choice}")
    values = [result.parameters[name] for name in model.param_names]
    if None in values:
        raise NoFormulaError("A run whose parameters are not finite has no formula.")
    return model.on_domain(result.domain), np.array(values, float), result.domain


def _model(result: ResultFile) -> Model:
    name = result.word("model")
    cls: Any = Component.registry.get((Model.group, name))
    if cls is None:
        raise NoFormulaError(f"The run's model {name!r} belongs to a package that is not installed here.")
    keys = {one.name: f"{Model.group}.{one.name}" for one in fields(cls)}
    try:
        model: Model = cls(**{one: result.config[key] for one, key in keys.items() if key in result.config})
    except InputError:
        raise
    except Exception as error:  # the model of a plugin may raise any exception
        raise InputError(f"its settings are not those of the model {name} ({error})") from error
    return model


def parsed(text: bytes) -> Any:
    """The content of a JSON file.

    Args:
        text: The text of the file, in UTF-8.

    Raises:
        InputError: It is not JSON, or a key occurs twice.
    """
    try:
        return json.loads(text.decode("utf-8"), object_pairs_hook=_distinct, parse_constant=_no_constant)
    except InputError:
        raise
    except RecursionError as error:
        raise InputError("it is nested too deeply") from error
    except ValueError as error:  # no UTF-8, no JSON, or an integer of more digits than Python reads
        raise InputError(f"it is not JSON ({error})") from error


def _distinct(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise InputError("a key occurs twice in it")
    return found


def _no_constant(word: str) -> None:
    raise InputError(f"{word} is no number of JSON")


def _required(content: Mapping[str, Any], key: str) -> Any:
    if key not in content:
        raise InputError(f"`{key}` is missing")
    return content[key]


def _object(key: str, value: Any) -> Mapping[str, Any]:
    require(isinstance(value, dict), key, "an object of JSON", value)
    return dict(value)


def _used(rates: Any) -> Any:
    """The learning rate that was used, of an object that earlier versions may not have."""
    return rates.get("used") if isinstance(rates, dict) else None


def _texts(key: str, values: Mapping[str, Any], *names: str) -> None:
    for name in names:
        value = _required(values, name)
        require(isinstance(value, str) and bool(value.strip()), f"{key}.{name}" if key else name, "a name", value)


def _number(key: str, value: Any, low: float = -math.inf) -> float | None:
    """A finite number of at least `low`, or None."""
    wanted = "a finite number or null" if low == -math.inf else f"a finite number of at least {low:g} or null"
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    # Compared before it is converted: an integer may be too large for a float.
    require(value is None or (is_number and abs(value) < math.inf and value >= low), key, wanted, value)
    try:
        return None if value is None else float(value)
    except OverflowError as error:
        raise InputError(f"`{key}` must be {wanted}, got one that is too large") from error


def _numbers(key: str, values: Any) -> tuple[float | None, ...]:
    allowed = isinstance(values, list) and 1 <= len(values) <= MAX_COEFFICIENTS
    require(allowed, key, f"null or a list of 1 to {MAX_COEFFICIENTS} numbers", values)
    return tuple(_number(key, value) for value in values)


def _interval(key: str, value: Any) -> tuple[float, float] | None:
    """An interval, or None where there is none."""
    value = value.get(key) if isinstance(value, dict) else value
    if value is None:
        return None
    require(isinstance(value, list), key, INTERVAL, value)
    number_list(key, value, 2, INTERVAL)
    require(value[0] <= value[1], key, INTERVAL, value)
    return float(value[0]), float(value[1])
