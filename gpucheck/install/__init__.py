"""A matched TensorFlow: chosen, fetched, installed, proven, and never a broken environment left behind.

resolve.py (pure) chooses; settings.py, uv.py, locking.py and fetch.py talk to indexes; place.py and transaction.py are
the only ones that write into an environment; prove.py asks the new interpreter itself.
"""
