"""A result of `gpucheck bench` -> str or picture, one module per format. Nothing here looks at a machine or judges."""
