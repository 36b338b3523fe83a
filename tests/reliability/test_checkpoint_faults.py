"""Checkpoints whose writing fails or is killed at each call, and that are damaged."""

import pytest

from tests.helpers.checkpoints import BEFORE, CALLS, fail_at_each, flip_a_bit, kills

WHERE = {
    "nothing": "no checkpoint before",
    "one": "one before",
    "two": "two before",
    "damaged": "two before, the newest damaged",
}
CALL = {"write": "write", "fsync": "fsync", "replace": "rename"}


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("call", CALLS)
def test_every_call_fails(call, before, tmp_path, facts):
    facts(table="checkpoints", fault=f"each {CALL[call]} fails", when=WHERE[before])
    counts = fail_at_each(tmp_path, call, before)
    number = sum(counts.values())
    facts(runs=number, right=number, **counts)


@pytest.mark.sample(0)
def test_killed_at_every_call(facts):
    facts(table="checkpoints", fault="killed at each write, fsync and rename", when="all of these")
    lines = kills()
    counts = {one: sum(line[3] == one for line in lines) for one in ("old", "new", "none")}
    facts(runs=len(lines), right=len(lines), **counts)


def test_bits_are_flipped(tmp_path, facts):
    facts(table="checkpoints", fault="a random bit of the newest is flipped", when="at 50 offsets")
    found = [flip_a_bit(tmp_path / str(number), number) for number in range(50)]
    facts(runs=len(found), right=len(found), old=found.count("old"), new=found.count("new"))
