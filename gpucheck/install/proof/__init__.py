"""The parts of the proof: asking.py runs the child, the others turn its words and what lies on the disk into checks.

prove.py puts them in order. Nothing here changes the environment.
"""
