"""Malformed input of every kind, each of which is refused in one sentence."""
