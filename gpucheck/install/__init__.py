"""A matched TensorFlow: chosen, fetched, installed, proven, and never a broken environment left behind.

    facts ──choosing──▶ choice ──indexes──▶ lock ──fetching──▶ uv's cache ──changing──▶ built aside ──proof──▶ committed

carrying.py walks that way; commands/install.py, above this room, speaks with the user. Only changing/ writes beside
or into an environment; cures.py and kernel.py write into what it built aside.
"""
