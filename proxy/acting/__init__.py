"""What others may do to a live session that was started with ``--act``.

``verbs``     the actions, what they take, who may do them, and why one is refused
``mediator``  pure: stands between caller and command, gives each question one answer, builds the frames
``address``   where a session listens for actions
``asking``    asks a relay for an action

The relay owns the socket and is the only one that writes to the command (``proxy.relay.acting``); the server and the
command line only forward.
"""
