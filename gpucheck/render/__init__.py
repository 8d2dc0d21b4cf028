"""Report -> str, one module per format, loaded on use. Nothing here looks at a machine, judges or prints."""
