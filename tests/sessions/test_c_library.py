"""Functions of the C library."""

import os

from proxy.sessions import c_library


def test_a_function_is_called_with_numbers_and_gives_one() -> None:
    """What Python has no module for is asked of the C library itself."""
    getpgid = c_library.function("getpgid")
    assert getpgid is not None
    assert getpgid(os.getpid()) == os.getpgrp()
    assert getpgid(-1) == -1


def test_what_the_c_library_does_not_have_is_none() -> None:
    """A system without a function is told from one on which it fails."""
    assert c_library.function("there_is_no_such_function") is None
