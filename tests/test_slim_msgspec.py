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


def test_a_session_has_a_msgspec_that_judges() -> None:
    """A wrapped session leaves out types that no message has. Nobody meets what stood in, and lines are judged."""
    program = """
import sys
from proxy import slim_msgspec
slim_msgspec.load(in_session=True)
from proxy.protocol import Judge
assert Judge("stdout").judge(b'{"type":"keep_alive"}').verdict == "valid"
assert not {"decimal", "_decimal", "uuid", "numbers"} & set(sys.modules)
import decimal, uuid
assert decimal.Decimal("1.5") + 1 == decimal.Decimal("2.5") and uuid.UUID(int=7).int == 7
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_module_that_msgspec_wants_more_of_is_imported() -> None:
    """A later release of msgspec may ask for another name of a module that is left out: it gets the real one's."""
    program = """
import sys
from proxy import slim_msgspec
stand_in = sys.modules["uuid"] = slim_msgspec._STAND_INS_IN_A_SESSION["uuid"]
assert stand_in.NAMESPACE_DNS.version == 1
import uuid
assert uuid is not stand_in and uuid.uuid4().version == 4
"""
    subprocess.run([sys.executable, "-c", program], check=True)
