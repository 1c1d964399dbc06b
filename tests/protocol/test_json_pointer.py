"""JSON pointers."""

import pytest

from proxy.protocol.json_pointer import escaped, pointer


@pytest.mark.parametrize(
    ("path", "expected"),
    [((), ""), (("a", 0, ""), "/a/0/"), (("a/b~c", "~1"), "/a~1b~0c/~01")],
)
def test_a_pointer_leads_where_the_path_does(path: tuple[str | int, ...], expected: str) -> None:
    """Slashes and tildes in names are escaped, the tilde first, as RFC 6901 has it."""
    assert pointer(path) == expected
    assert [escaped(str(key)) for key in path] == expected.split("/")[1:]
