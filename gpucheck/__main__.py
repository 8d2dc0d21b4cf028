"""``python -m gpucheck``: the same as the command ``gpucheck``."""

from __future__ import annotations

from gpucheck.cli import main

if __name__ == "__main__":
    main()
