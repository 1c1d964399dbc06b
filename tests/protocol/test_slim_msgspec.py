"""msgspec as the wrapper imports it."""

import subprocess
import sys


def test_msgspec_can_do_all_that_it_can_when_it_is_imported_as_usual() -> None:
    """What stands in for a module while msgspec is imported is not met afterwards: times and ids are decoded."""
    program = '''
import sys, proxy.protocol
absent = {"typing_extensions", "datetime", "platform", "msgspec.inspect", "textwrap"}
assert not absent & set(sys.modules)
import datetime, platform, uuid, msgspec
assert platform.python_version()
when, which = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC), uuid.UUID(int=7)
for value in when, when.date(), when.time(), which:
    assert msgspec.json.decode(msgspec.json.encode(value), type=type(value)) == value
class Documented(msgspec.Struct):
    """What it is."""
    field: int
assert msgspec.json.schema(Documented)["$defs"]["Documented"]["description"] == "What it is."
assert msgspec.inspect.type_info(int) == msgspec.inspect.IntType()
import re, typing
assert typing.get_origin(typing.Pattern[str]) is re.Pattern and typing.get_origin(typing.Match[str]) is re.Match
word = typing.Annotated[str, msgspec.Meta(pattern="^a")]
assert msgspec.json.decode(b'"abc"', type=word) == "abc"
try:
    msgspec.json.decode(b'"bc"', type=word)
except msgspec.ValidationError as error:
    assert "^a" in str(error)
else:
    assert False, "the pattern counts"
'''
    subprocess.run([sys.executable, "-c", program], check=True)
