"""A daemon for each test, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon import Daemon

import sessiond


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """A running daemon with a directory of its own."""
    with Daemon(tmp_path) as daemon:
        yield daemon


@pytest.fixture
def client(daemon: Daemon) -> Iterator[sessiond.Client]:
    """A client of it."""
    with sessiond.connect(daemon.socket, label="test") as client:
        yield client
