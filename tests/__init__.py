"""The tests of polyexp. A package, so that `tests.helpers` is this folder's wherever pytest is started."""

import pytest

pytest.register_assert_rewrite("tests.helpers")  # the assertions of helpers explain themselves as those of tests do
