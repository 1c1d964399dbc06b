"""Schemas that users bring: a file ``address.json`` of ``schemas.directory`` is the specification ``user/address``.

``folder``   the schemas of a folder: their names and contents
``judge``    what they say of values, with ``jsonschema``; imported where there are any, as it takes long

Whoever wrote a schema may not have thought of the time that it takes: a pattern of a few characters can keep a
processor busy for years. So judging is bounded, and where others wait for the same process it is not done there.
"""

from proxy.custom_schemas.folder import read_folder
from proxy.custom_schemas.schemas import PREFIX, CustomSchemas, TimeLimitError, UnusableSchemaError

__all__ = ["PREFIX", "CustomSchemas", "TimeLimitError", "UnusableSchemaError", "read_folder"]
