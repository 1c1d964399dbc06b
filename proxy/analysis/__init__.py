"""What sessions did, where their time and money went, what stands out: pure functions over events.

``session``    takes the events of one session, one by one, and gives a report at any time
``report``     the shape of that report
``spans``      what lasts: turns, tools, subagents, permissions; ``activities``: what the time goes into, and states
``timeline``   both as bars; ``distribution``, ``patterns``, ``counts``, ``turns``, ``cost``: their figures
``anomalies``  what stands out, by the detectors ``delays``, ``loops``, ``failures``, ``mismatches``, ``outputs``
``summary``    all of it in a few sentences

Nothing here reads a clock or a file: time arrives in the events.
"""

from proxy.analysis.report import Analysis
from proxy.analysis.session import SessionAnalysis, analyze

__all__ = ["Analysis", "SessionAnalysis", "analyze"]
