"""The calls of the API: one module for each group of them.

``table``        the table of all routes, from which they are registered and described
``parameters``   what the calls of the table take
``route``        what is said of one; ``description`` and ``manual`` make OpenAPI and a page of it
``requests``     reads bodies and queries, or says what to change
``sessions``     what the sessions do, ``events`` what happened, ``streams`` as it happens
``records``      a log's records in pages, ``shortening`` what is long in them
``search``       what was said in any session
``conversation``  a session as people read it, ``export`` its log, and the page to share
``approvals``    who allowed or denied each call, ``seal`` what a sealed log is known to be
``analysis``     what sessions did, ``specifications`` the schemas and judging by them, ``compliance`` checks
``health``       whether the server is well
``page``         the page for people: the files in ``static``
"""
