"""From a choice to files: what pip and uv are configured to use, uv itself, and locks. No environment is touched."""
