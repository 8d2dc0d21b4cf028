"""`gpucheck smoke`: does the GPU work? What its parts found, and what follows from them. Pure.

result.py is what is known at any moment, judging.py makes a part of what doctor and bench gave. The command, which
looks and measures, is gpucheck/commands/smoke.py; how it is told, gpucheck/render/smoke.
"""
