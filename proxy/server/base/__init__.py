"""What all rooms of the server stand on: the journal, the one shape of an answer, and why there is none.

``journal``   what the server says of itself
``errors``    why a request cannot be answered, by status
``answers``   the one shape of an answer and of a failure
``decoding``  JSON bodies, decoded
"""
