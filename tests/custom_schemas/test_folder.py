"""Which schemas a folder holds, and which of them cannot be used."""

import json
from pathlib import Path

import pytest

from proxy.custom_schemas import CustomSchemas, UnusableSchemaError, read_folder
from proxy.custom_schemas import folder as module

ADDRESS = {"title": "Address", "type": "object", "required": ["city"]}


def written(folder: Path, **files: object) -> str:
    """Write schemas into a folder, and return its path; a text is written as it is."""
    for name, schema in files.items():
        path = folder / f"{name.replace('__', '/')}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(schema if isinstance(schema, str) else json.dumps(schema))
    return str(folder)


def test_files_are_specifications(tmp_path: Path) -> None:
    """Each JSON file is one, with the name of its path; what is no schema file is passed over."""
    (tmp_path / "README.md").write_text("# not a schema")
    (tmp_path / ".hidden.json").write_text("{")
    found = read_folder(written(tmp_path, address=ADDRESS, orders__v1=True))
    assert found.names() == ["user/address", "user/orders/v1"]
    first, second = found.specifications()
    assert (first.name, first.type, first.title) == ("user/address", "user", "Address")
    assert second.title == "orders/v1"
    assert json.loads(found.content("user/address")) == ADDRESS


def test_no_folder_holds_none() -> None:
    """Without the setting there are none."""
    assert read_folder(None).names() == []


def test_a_version_changes_with_the_content(tmp_path: Path) -> None:
    """What a client has kept of a schema can be told from what the schema is now."""
    before = read_folder(written(tmp_path, a=ADDRESS, b=True)).specifications()
    after = read_folder(written(tmp_path, a={}, b=True)).specifications()
    assert before[0].version != after[0].version
    assert before[1].version == after[1].version


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    """A wrong name is told with the nearest one, or with all that there are."""
    found = read_folder(written(tmp_path, address=ADDRESS))
    with pytest.raises(KeyError, match="did you mean 'user/address'"):
        found.content("user/adress")
    with pytest.raises(KeyError, match="there are user/address"):
        found.content("user/zzz")
    with pytest.raises(KeyError, match="there are none"):
        CustomSchemas().content("user/zzz")


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ("{", "it is not JSON"),
        ("\xff", "it is not JSON"),
        ([], "it is no object, nor true or false"),
        ({"type": "strnig"}, "/type: 'strnig' is not valid"),
        ({"properties": {"a": {"minimum": "x"}}}, "/properties/a/minimum: 'x' is not of type 'number'"),
        ({"pattern": "("}, "/pattern: '(' is not a 'regex'"),
        (
            {"$schema": "http://json-schema.org/draft-04/schema#"},
            "it takes https://json-schema.org/draft/2020-12",
        ),
        (
            {"$ref": "https://example.com/x.json"},
            "'https://example.com/x.json', which is not there; nothing is fetched",
        ),
        ({"$ref": "nowhere.json"}, "it refers to 'nowhere.json'"),
        ({"$defs": {"a": {"$ref": "#/$defs/b"}}}, "it refers to '/$defs/b'"),
        ({"$ref": "#"}, "it is nested too deep, or refers to nothing but itself"),
        ('{"not":' * 3000 + "{}" + "}" * 3000, "it is nested too deep"),
        ({"pattern": "^(a+)+$", "enum": ["a" * 40 + "b"], "$ref": 5}, "/$ref: 5 is not of type 'string'"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, schema: object, said: str) -> None:
    """The sentence, of one line, names the file and what is wrong with it; a good file beside it is not blamed."""
    folder = written(tmp_path, aaa=ADDRESS, wrong=schema, zzz={"$ref": "aaa.json"})
    with pytest.raises(UnusableSchemaError) as raised:
        read_folder(folder)
    assert str(raised.value).startswith(f"{tmp_path}/wrong.json cannot be used as a schema: ")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_folders_and_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing, too large, too much or has a name that could be no path of the API is refused."""
    with pytest.raises(UnusableSchemaError, match=r"schemas.directory: .*nowhere cannot be read"):
        read_folder(str(tmp_path / "nowhere"))
    (tmp_path / "link.json").symlink_to("nowhere")
    with pytest.raises(UnusableSchemaError, match=r"link.json cannot be read: No such file"):
        read_folder(str(tmp_path))
    (tmp_path / "link.json").unlink()
    (tmp_path / "a b.json").write_text("{}")
    with pytest.raises(UnusableSchemaError, match=r"a b.json needs a name of letters"):
        read_folder(str(tmp_path))
    (tmp_path / "a b.json").unlink()
    monkeypatch.setattr(module, "_LARGEST_BYTES", 20)
    assert read_folder(written(tmp_path, a=json.dumps({}).ljust(20))).names() == ["user/a"]
    with pytest.raises(UnusableSchemaError, match=r"a.json is larger than 20 bytes"):
        read_folder(written(tmp_path, a=json.dumps({}).ljust(21)))
    monkeypatch.setattr(module, "_MOST_FILES", 2)
    with pytest.raises(UnusableSchemaError, match="holds more than 2 schemas"):
        read_folder(written(tmp_path, a={}, b={}, c={}))
