"""Downloads that resume, and uv's own cache filled by them."""
