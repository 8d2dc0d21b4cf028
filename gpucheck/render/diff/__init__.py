"""Difference -> str, one module per format. Nothing here looks at a machine, judges or prints."""

# format: the module of this folder that has it; each has render(told, asked).
FORMATS = ("terminal", "json", "markdown", "html")
