"""The token of a hold."""

from __future__ import annotations

import hmac

#: Bytes of a token.
_LEN = 32


class Token:
    """The token of a hold. A secret: who shows it is taken for the holder. It may be handed to processes of the same user
    that work for the holder. Neither ``str`` nor ``repr`` shows anything of it."""

    __slots__ = ("_bytes",)

    def __init__(self, secret: bytes) -> None:
        """:raises ValueError: it does not have the 32 bytes of a token."""
        if len(secret) != _LEN:
            raise ValueError(f"a hold's token is {_LEN} bytes, or twice as many hexadecimal digits")
        self._bytes = bytes(secret)

    @classmethod
    def from_hex(cls, text: str) -> Token:
        """Reads what ``sessiond hold`` puts into ``SESSIOND_TOKEN``.

        :raises ValueError: it is not a token in hexadecimal.
        """
        try:
            secret = bytes.fromhex(text)
        except ValueError:
            secret = b""
        return cls(secret)

    def expose(self) -> bytes:
        """Its bytes. Never log or print them."""
        return self._bytes

    def expose_hex(self) -> str:
        """The same in hexadecimal, for ``SESSIOND_TOKEN`` of a process that works for the holder."""
        return self._bytes.hex()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Token) and hmac.compare_digest(self._bytes, other._bytes)

    def __hash__(self) -> int:
        return hash(self._bytes)

    def __repr__(self) -> str:
        return "Token(..)"
