"""The store of one machine: an SQLite file beside the logs, derived from them and thrown away without loss.

``database``    the tables, and how the file is opened or begun anew
``counts``      how many events lie in each stretch of time
``writer``      puts rows in, in one transaction with how far each log was read
``inventory``   which logs there are, ``tracked`` how far one is indexed, ``watermark`` what can still come
``indexer``     logs in, rows out: step by step
``follower``    the thread that runs it, hears of changes and hands on what is new
``standing``    whether the files are those that are written, ``integrity`` whether they are as they were written
``readers``     connections for questions, ``rows`` what they read, checked
``event_queries``, ``session_queries``, ``log_pieces``  the questions
``tombstones``  what was taken out
``store``       all of it, as a `Store`
``known``       what is known of sessions already, for who reads logs without a server
"""
