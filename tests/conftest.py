"""Fixtures that several test modules share."""

from __future__ import annotations

import pytest
from fake_driver import FakeDriver, build


@pytest.fixture(scope="session")
def fake_driver(tmp_path_factory: pytest.TempPathFactory) -> FakeDriver:
    """libnvidia-ml.so.1, libcuda.so.1 and their broken forms, compiled once a session."""
    return build(tmp_path_factory.mktemp("driver"))
