"""Write the schemas that are made of tables in the code, and the TypeScript types of all schemas.

    python -m tools.generate_schemas

Run it after a change of ``proxy/events/vocabulary.py``; tests hold what it writes current.
"""

import json
import runpy
from pathlib import Path

from proxy.events import vocabulary

__all__ = ["main"]

SCHEMAS = Path(__file__).parents[1] / "schemas"


def main() -> None:
    """Write the files."""
    events = json.dumps(vocabulary.schema(), indent=2)
    (SCHEMAS / "events.json").write_text(f"{events}\n", encoding="utf-8")
    runpy.run_path(str(SCHEMAS / "generate_types.py"), run_name="__main__")


if __name__ == "__main__":
    main()
