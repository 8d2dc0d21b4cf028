"""What somebody expects of a machine (`--expect FILE`, `[tool.gpucheck]`), held against what was found there. Pure.

expectations.py is what can be expected, reading.py makes it from TOML, measuring.py finds the fact for each key,
judging.py adds to a report what is not met and what could not be measured, documented.py says what that means. Which
file is read, and that it is read, is gpucheck/commands/expected.py.
"""
