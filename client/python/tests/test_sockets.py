"""Where a daemon may serve, with a daemon that does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from daemon import Daemon

import sessiond


@pytest.mark.parametrize("folder", ["plain", "with blanks", "50%41 #?&=ä"])
def test_a_path_is_taken_as_it_is(tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / folder
    path.mkdir()
    with Daemon(path) as daemon:
        monkeypatch.chdir(path)
        for socket in (daemon.socket, f"unix:{daemon.socket}", "s.sock", Path("s.sock")):
            with sessiond.connect(socket) as client:
                assert client.info().engine == "sqlite"


def test_a_socket_may_have_no_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    name = f"sessiond-test-{os.getpid()}"
    with Daemon(tmp_path, "--abstract-socket", name):
        monkeypatch.setenv("SESSIOND_SOCKET", f"unix-abstract:{name}")
        with sessiond.connect() as client:
            assert client.socket == f"unix-abstract:{name}"
            assert client.info().engine == "sqlite"
