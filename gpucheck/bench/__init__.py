"""The speed test. The parent (run.py) never imports a framework; worker.py does, one process a device.

What was measured is facts (facts/bench.py); what follows from it is pure: statistics, gates, verdict, compare.
"""
