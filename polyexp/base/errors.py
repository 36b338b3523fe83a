"""The errors that a user sees as one sentence."""

__all__ = ["DisagreementError", "InputError"]


class InputError(ValueError):
    """The user's input is wrong. Its message is one sentence that says what is allowed."""


class DisagreementError(Exception):
    """What was to be checked has been checked, and is wrong. Its message is one sentence that says what."""
