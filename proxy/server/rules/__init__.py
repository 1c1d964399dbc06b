"""Rules about sessions that run away: what they find, and what is done about it.

``progress``     what the events of a session tell that its state does not hold: calls in a turn, loops, files
``occurrences``  which rules apply to a session now
``enforcement``  looks every few seconds, writes down what fires, and acts
"""
