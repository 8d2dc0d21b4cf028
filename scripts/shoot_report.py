"""Take the picture of docs/reports.md: doctor's page of a recorded machine, in a headless Chromium.

python scripts/shoot_report.py [MACHINE [FILE]]     default: that page; needs the dependency group test
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import browser  # noqa: E402
import machines  # noqa: E402
from PIL import Image  # noqa: E402

from gpucheck import api  # noqa: E402
from gpucheck.render import html  # noqa: E402

PICTURED = "old-cudnn-in-ld-library-path"
WIDTH, HEIGHT = 900, 1850  # px; what does not fit is cut off


def shoot(machine: str, file: Path) -> None:
    """The upper part of the page, with few colours: it is text."""
    report = api.judge(api.read_data({"schema": "gpucheck.machine/1", **machines.load(machine)}))
    with (
        TemporaryDirectory() as folder,
        browser.chromium(Path(folder)) as chromium,
        chromium.showing(html.render(report), WIDTH) as page,
    ):
        page.screenshot(path=file, clip={"x": 0, "y": 0, "width": WIDTH, "height": HEIGHT}, full_page=True)
    with Image.open(file) as taken:
        taken.convert("RGB").quantize(64, dither=Image.Dither.NONE).save(file, optimize=True)


if __name__ == "__main__":
    given = sys.argv[1:]
    shoot(given[0] if given else PICTURED, Path(given[1]) if given[1:] else ROOT / "docs/images/report.png")
