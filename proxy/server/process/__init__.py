"""The server's process: from its address to its end.

``run``          finds the address, says where it is, and serves until nobody needs it
``app``          the application: routes, middlewares, lifetime
``connections``  how many, how slow, how long connections may be
``tls``          the certificate, renewed without a restart
"""
