"""Write the schemas that are generated from the code, and the TypeScript types of all schemas.

    python -m tools.generate_schemas

Run it after a change to ``proxy/config.py``, to a model that ``proxy/api/published.py`` names, or to a file below
``schemas``. Tests fail when its output is out of date.
"""

import json
import runpy
from pathlib import Path
from typing import Any

from proxy.api.published import PUBLISHED
from proxy.protocol import judge, shapes
from proxy.protocol.fastpath import Compiler
from tools.model_schemas import schema_of

__all__ = ["main", "texts"]

SCHEMAS = Path(__file__).parents[1] / "schemas"


def texts() -> dict[str, str]:
    """Return the text of each schema that is made, by its path below ``schemas``."""
    files = {model: f"{name}.json" for name, (_, model) in PUBLISHED.items()}
    made: dict[str, Any] = {}
    for name, (title, model) in PUBLISHED.items():
        head = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": f"/api/{name}.json",
            "title": title,
        }
        made[f"api/{name}.json"] = head | schema_of(model, files)
    return {path: json.dumps(schema, indent=2) + "\n" for path, schema in made.items()}


def usual_shapes() -> str:
    """Return the text of ``proxy/protocol/usual_shapes.json``: what the schemas say of the usual messages."""
    made = shapes.Shapes()
    usual: dict[str, dict[str, int]] = {}
    files: dict[str, int] = {}
    for stream, types in judge.USUAL_TAGS.items():
        compiler = Compiler(shapes=made)
        usual[stream] = {}
        for type_, tags in types.items():
            kind = judge.Kind(stream, type_, compiler)
            usual[stream][type_] = kind.shape(tags)
        files |= compiler.files
    lines = ",\n".join(json.dumps(shape) for shape in made)
    return f'{{"usual": {json.dumps(usual)},\n"files": {json.dumps(files)},\n"shapes": [\n{lines}\n]}}\n'


def main() -> None:
    """Write the files."""
    Path(shapes.FILE).write_text(usual_shapes(), encoding="utf-8")
    for path, text in texts().items():
        (SCHEMAS / path).write_text(text, encoding="utf-8")
    for script in ("generate_config.py", "generate_types.py"):  # the types last: they cover all schemas
        runpy.run_path(str(SCHEMAS / script), run_name="__main__")


if __name__ == "__main__":
    main()
