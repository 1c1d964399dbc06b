"""Files that tools of continuous integration read: ``sarif`` for code scanning, ``junit`` for test results."""
