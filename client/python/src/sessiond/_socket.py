"""Where the daemon serves."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from urllib.parse import quote_from_bytes

#: Environment variable that says where the daemon serves.
SOCKET_VARIABLE = "SESSIOND_SOCKET"
_ABSTRACT = "unix-abstract:"


class Socket:
    """A Unix socket: a path, or a name in the abstract namespace.

    As text a path is itself or ``unix:PATH``, and an abstract name is ``unix-abstract:NAME``.
    """

    __slots__ = ("_abstract", "_path")

    def __init__(self, text: str | os.PathLike[str]) -> None:
        path = os.fspath(text)
        self._abstract = path.startswith(_ABSTRACT)
        if self._abstract:
            path = path[len(_ABSTRACT) :]
        elif path.startswith("unix:"):
            path = path[len("unix:") :]
            # gRPC writes an absolute path as unix:///path too.
            path = path[2:] if path.startswith("///") else path
        self._path = path

    @classmethod
    def found(cls, environment: Mapping[str, str] = os.environ) -> Socket:
        """What ``SESSIOND_SOCKET`` names, else :func:`default_socket`."""
        return cls(environment.get(SOCKET_VARIABLE) or default_socket(environment))

    def __str__(self) -> str:
        return _ABSTRACT + self._path if self._abstract else self._path

    def target(self) -> str:
        """What gRPC calls it. It takes the text for a URI, in which some characters of a path mean something else."""
        return (_ABSTRACT if self._abstract else "unix:") + quote_from_bytes(os.fsencode(self._path))

    def trouble(self) -> str:
        """Why nobody could be reached at it, in the system's words."""
        address = b"\0" * self._abstract + os.fsencode(self._path)
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.setblocking(False)
                probe.connect(address)
        except OSError as error:
            return error.strerror or str(error)
        return "no answer in time"


def default_socket(environment: Mapping[str, str] = os.environ) -> str:
    """Where a daemon serves unless it is told otherwise: as root ``/run/sessiond/sessiond.sock``, else
    ``$XDG_RUNTIME_DIR/sessiond/sessiond.sock``, and without that variable ``/tmp/sessiond-UID/sessiond.sock``."""
    user = os.geteuid()
    if user == 0:
        return "/run/sessiond/sessiond.sock"
    if runtime := environment.get("XDG_RUNTIME_DIR"):
        return os.path.join(runtime, "sessiond", "sessiond.sock")
    return f"/tmp/sessiond-{user}/sessiond.sock"
