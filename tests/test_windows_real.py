"""gpucheck installed from its wheel into a real Windows Python, and what it says there.

Wine is evidence, not proof. Where it differs from Windows, the test says so.
"""

from __future__ import annotations

import json

import pytest
from windows_lab import Lab

pytestmark = pytest.mark.windows


def test_the_laboratory_is_a_windows_of_its_own(lab: Lab) -> None:
    told = lab.run([lab.python("3.8"), "-c", "import os, sys; print(sys.platform, sys.version_info[:2], os.sep)"])
    assert told == (0, "win32 (3, 8) \\\n", "")
    program = "import os; print(os.environ['PATH'], os.environ['Odd'], ascii(os.environ['Temp']), 'HOME' in os.environ)"
    env = {"PATH": r"C:\a b;C:\c", "Odd": "1", "TEMP": "C:\\\u00fc"}
    told = lab.run([lab.python("3.10"), "-c", program], env, without=["HOME"])
    assert told.out == "C:\\a b;C:\\c 1 'C:\\\\\\xfc' False\n"


def test_doctor_answers_in_json(lab: Lab) -> None:
    told = lab.gpucheck("doctor", "--format", "json")
    assert told.err == ""
    assert json.loads(told.out)["facts"]["system"]["os"] == "windows"
