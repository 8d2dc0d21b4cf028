"""The speed test: run.py conducts, seat.py is one device, worker.py computes in the examined Python.

Around it: watching/ (telemetry, load), judging/ (pure), workloads/ (networks as data). Results are facts/bench.py.
"""
