"""The pytest plugin: the marker ``gpu_required`` skips or fails a test with doctor's reason.

plugin.py has pytest's hooks, requirement.py reads a marker's words, judging.py tells what of them this machine lacks.
Nothing is imported here: every pytest start loads this package, also in projects that never use the marker.
"""
