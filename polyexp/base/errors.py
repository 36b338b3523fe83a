"""The errors that a user sees as one sentence."""

__all__ = ["DisagreementError", "InputError"]


class InputError(ValueError):
    """An input that is not allowed. Its message is one sentence that names what is allowed.

    The command line prints the message and exits with code 2.

    Args:
        *args: The message.

    Example:
        >>> import polyexp as p
        >>> try:
        ...     p.PowerSeries(degree=-1)
        ... except p.InputError as error:
        ...     print(error)
        `model.degree` must be a whole number from 0 to 1000, got -1.
    """


class DisagreementError(Exception):
    """A comparison that failed, as of a crosscheck. Its message is one sentence that names what differs."""
