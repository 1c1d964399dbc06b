"""The session log: one JSONL file per wrapped process, the single source of truth.

``record``     the format: how one record is spelled
``writer``     appends records, survives a failing disk
``reader``     reads records back, also torn and foreign ones
``catalogue``  finds sessions in a data directory
``identity``   session ids and where things live
``serving``    who serves a data directory
``watch``      learns which files have changed

The writing side is part of every wrapped session: it imports nothing but the standard library's core.
"""
