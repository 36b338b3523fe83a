"""The errors that a user sees as one sentence."""

from polyexp.base.text import bounded

__all__ = ["DisagreementError", "FolderError", "InputError", "NotDeliveredError"]


class InputError(ValueError):
    """An input that is not allowed. Its message is one sentence that names what is allowed.

    The command line prints the message and exits with code 2. The message has no control characters, and at most 1000
    characters, whatever it quotes (`polyexp.base.bounded`).

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

    def __init__(self, *args: object) -> None:
        super().__init__(*(bounded(one) if isinstance(one, str) else one for one in args))


class DisagreementError(Exception):
    """A comparison that failed, as of a crosscheck. Its message is one sentence that names what differs."""


class FolderError(Exception):
    """A folder of a run that cannot be written any more. Its message is one sentence that says why."""


class NotDeliveredError(Exception):
    """Runs that are not in the store, where that is required. Its message is one sentence that says why."""
