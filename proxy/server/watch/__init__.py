"""How the server and its data directory are: measured, told, and kept so by timed jobs.

``metrics``   figures for Prometheus
``health``    whether what the server needs is well
``machine``   what the machine and the server take
``jobs``      the timed jobs: retention, backup, figures
``monitor``   finds what there is to tell, once each; ``alerts`` says what that is, ``webhook`` sends it
"""
