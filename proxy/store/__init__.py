"""What is known of all sessions, derived from their records: a `Store`, and the engines behind it.

``protocol``   the questions that a store answers, and its errors
``model``      what is asked and answered
``derivation`` records in, what follows from them out: the same for every engine
``version``    tells whether it was derived by this very code
``counting``   how many events lie in each stretch of time, ``ranks`` finds pages by it
``pieces``     a session's records in pieces, ``records`` pages of them
``totals``     what sessions add up to
``encoding``   events as JSON
``embedded``   the store of one machine, on SQLite
"""

from proxy.store.protocol import Listener, Store, StoreDamagedError, StoreError

__all__ = ["Listener", "Store", "StoreDamagedError", "StoreError"]
