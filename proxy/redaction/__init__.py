"""Keeps credentials out of what is recorded. What is passed on is never touched.

``redactor``     replaces credentials in the lines and the command line of a session
``credentials``  what a credential looks like: by its form, and by the name before it
``carriers``     where the protocol and the command line carry credentials by definition

Pure: bytes in, bytes out.
"""

from proxy.redaction.redactor import Redactor

__all__ = ["Redactor"]
