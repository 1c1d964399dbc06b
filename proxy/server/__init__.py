"""The HTTP server: what the index knows, live and past, and the specification at work.

``process``     the process, from its address to its end
``routes``      the calls of the API
``watch``       figures, timed jobs, alerts
``shared``      what requests share
``access``      who may ask, and how often
``live``        what is happening now
``work``        what takes long, beside the event loop
``base``        the journal, the one shape of an answer
``background``  starts a server when a wrapped session needs one; imports next to nothing
``__main__``    what ``background`` starts

Each of these imports only those below it. The server reads logs and writes none but its clients'; no wrapped session
depends on it.
"""
