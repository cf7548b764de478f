"""Telegram as Telethon sees it, in this process: a transport whose other end decrypts what the client sends with the key that
they share, and answers. What cannot be had without Telegram's own key, the exchange that makes a new key, is stood in for."""

from __future__ import annotations

import asyncio
import os
import struct
import time
import traceback
from datetime import datetime, timezone
from hashlib import sha256
from inspect import signature
from typing import Any

from telethon.crypto import AES, AuthKey
from telethon.extensions import BinaryReader
from telethon.network import authenticator
from telethon.network.connection.connection import Connection
from telethon.network.mtprotostate import MTProtoState
from telethon.tl import functions, types
from telethon.tl.core import GzipPacked, MessageContainer

NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Refused(Exception):
    """An error of Telegram's, such as ``USER_MIGRATE_4``."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Telegram:
    """All data centers. ``answers`` maps a request's class to what answers it, a value or a function of the request."""

    def __init__(self, monkeypatch: Any, user: Any) -> None:
        self.keys: dict[int, AuthKey] = {}
        #: Where clients connected to, the latest last: address, port and data center.
        self.dialled: list[tuple[str, int, int]] = []
        #: Ids of the keys that the clients used first on each connection.
        self.key_ids: list[int] = []
        self.open: list[Line] = []
        self.requests: list[str] = []
        self.answers: dict[type, Any] = {
            functions.help.GetConfigRequest: _config(),
            functions.users.GetUsersRequest: [user],
            functions.updates.GetStateRequest: types.updates.State(10, 2, NOW, 1, 0),
            functions.updates.GetDifferenceRequest: types.updates.DifferenceEmpty(NOW, 1),
            functions.auth.ImportBotAuthorizationRequest: types.auth.Authorization(user),
            functions.auth.LogOutRequest: types.auth.LoggedOut(),
            functions.PingRequest: lambda request: types.Pong(0, request.ping_id),
        }
        telegram = self

        class Transport(Line):
            server = telegram

        #: To be given to the client.
        self.connection = Transport
        monkeypatch.setattr(authenticator, "do_authentication", self._new_key)

    def know(self, key: bytes) -> AuthKey:
        """Knows a key. Gives it as Telethon has it."""
        auth_key = AuthKey(key)
        self.keys[auth_key.key_id] = auth_key
        return auth_key

    def tell(self, update: Any) -> None:
        """Sends something to every client that is connected."""
        for line in list(self.open):
            line.answer(bytes(update))

    async def _new_key(self, _sender: Any) -> tuple[AuthKey, int]:
        return self.know(os.urandom(256)), 0

    def answer_to(self, request: Any) -> Any:
        """What answers a request.

        :raises Refused: an error does.
        """
        while hasattr(request, "query"):
            request = request.query
        self.requests.append(type(request).__name__)
        answer = self.answers[type(request)]
        return answer(request) if callable(answer) else answer


class Line(Connection):  # type: ignore[misc]  # Telethon has no types
    """One connection of one client."""

    server: Telegram
    packet_codec = None

    async def connect(self, timeout: Any = None, ssl: Any = None) -> None:
        self._connected = True
        self._told: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._key: AuthKey | None = None
        self._session_id = 0
        self._last_id = 0
        self.server.dialled.append((self._ip, self._port, self._dc_id))
        self.server.open.append(self)

    async def disconnect(self) -> None:
        if self._connected:
            self._connected = False
            self.server.open.remove(self)
            self._told.put_nowait(None)

    async def send(self, data: bytes) -> None:
        if not self._connected:
            raise ConnectionError("not connected")
        (key_id,) = struct.unpack("<Q", data[:8])
        if self._key is None:
            self._key = self.server.keys[key_id]
            self.server.key_ids.append(key_id)
        aes = MTProtoState._calc_key(self._key.key, data[8:24], True)
        reader = BinaryReader(AES.decrypt_ige(data[24:], *aes))
        reader.read_long()
        self._session_id = reader.read_long()
        message_id = reader.read_long()
        reader.read(8)
        self._take(message_id, reader.tgread_object())

    async def recv(self) -> bytes:
        told = await self._told.get()
        if told is None:
            raise ConnectionError("disconnected")
        return told

    def _take(self, message_id: int, message: Any) -> None:
        if isinstance(message, MessageContainer):
            for one in message.messages:
                self._take(one.msg_id, one.obj)
        elif isinstance(message, GzipPacked):
            self._take(message_id, BinaryReader(message.data).tgread_object())
        elif not isinstance(message, types.MsgsAck):
            try:
                body = _boxed(self.server.answer_to(message))
            except Refused as error:
                body = bytes(types.RpcError(error.code, str(error)))
            except Exception:
                traceback.print_exc()  # a client that gets no answer tells less
                raise
            self.answer(struct.pack("<Iq", 0xF35C6D01, message_id) + body)

    def answer(self, body: bytes) -> None:
        assert self._key is not None
        key = self._key.key
        self._last_id = max(self._last_id + 4, int(time.time() * 2**32) & ~3 | 1)
        plain = struct.pack("<qqqii", 0, self._session_id, self._last_id, 1, len(body)) + body
        plain += os.urandom(-(len(plain) + 12) % 16 + 12)
        message_key = sha256(key[96:128] + plain).digest()[8:24]
        aes = MTProtoState._calc_key(key, message_key, False)
        self._told.put_nowait(
            struct.pack("<Q", self._key.key_id) + message_key + AES.encrypt_ige(plain, *aes)
        )


def _boxed(answer: Any) -> bytes:
    if isinstance(answer, list):
        return struct.pack("<Ii", 0x1CB5C415, len(answer)) + b"".join(map(bytes, answer))
    return bytes(answer)


def _config() -> Any:
    required = signature(types.Config).parameters.values()
    given = {parameter.name: 0 for parameter in required if parameter.default is parameter.empty}
    options = [types.DcOption(id, f"149.154.160.{id}", 443) for id in (2, 4)]
    known = {"date": NOW, "expires": NOW, "test_mode": False, "this_dc": 2, "dc_options": options}
    return types.Config(**{**given, **known, "dc_txt_domain_name": "", "me_url_prefix": ""})
