"""The session log: one JSONL file per wrapped process, the single source of truth.

``beginning``  what the user chose for the record of a session, and its first record
``record``     the format: how one record is encoded
``writer``     appends records, survives a failing disk
``reader``     reads records back, also torn and foreign ones
``catalogue``  finds sessions in a data directory
``identity``   session ids and where things live
``serving``    who serves a data directory
``watch``      learns which files have changed

The writing side is part of every wrapped session: it imports nothing but the standard library's core.
"""
