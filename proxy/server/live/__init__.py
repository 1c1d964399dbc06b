"""What is happening now.

``hub``         hands new events to whoever listens, as fast as each can take them
``recordings``  sessions that clients have started for events of their own
"""
