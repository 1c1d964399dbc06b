"""What Claude Code's permission rules say of calls that were made.

``rules``    a policy file and its rules, in Claude Code's own syntax
``shell``    the simple commands that a shell command is made of
``matching`` whether a rule covers a call
``check``    which calls of a session a policy forbids
``suggest``  the smallest list of allow rules that covers what ran

Pure, but for reading a policy file. The semantics are Claude Code's: of its documentation
(https://code.claude.com/docs/en/permissions), and as the tests see them of the real one. A string given to a shell is
taken apart here, which Claude Code does not do; what cannot be taken apart is unknown, not fine.
"""
