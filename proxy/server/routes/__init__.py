"""The calls of the API: one module for each group of them.

``route``        what a handler declares that it answers to; ``table`` puts all of these together
``parameters``   parameters of calls: what each means and takes, and its value in a request
``requests``     reads bodies, or says what to change
``description``  makes OpenAPI of the table, ``manual`` a page for people
``sessions``     what the sessions do, ``events`` what happened, ``streams`` as it happens
``records``      a log's records in pages
``search``       what was said in any session
``conversation``  a session as people read it, ``export`` its log, and the page to share
``approvals``    who allowed or denied each call, ``seal`` what a sealed log is known to be
``analysis``     what sessions did, ``specifications`` the schemas and judging by them, ``compliance`` checks
``health``       whether the server is well, and its figures
``fleet``        what the hosts of a fleet and their centre say to each other
``page``         the page for people: the files in ``static``
"""
