"""Many machines at once.

reading finds files, judging turns each into a `Node`, processes does so for all of them, collecting asks machines
through Dask; nodes, rules and grouping are pure: they see nodes and nothing else. Pages are in gpucheck/render/fleet.
"""
