"""Session names."""

from __future__ import annotations

import re

from .errors import InvalidName

#: Longest session name, in characters.
_MAX_LEN = 128
_OTHER = re.compile(r"[^A-Za-z0-9._-]")


def checked_name(name: str) -> str:
    """The name, if it is one: 1 to 128 of ``A-Z a-z 0-9 . _ -``, not beginning with ``.`` or ``-``.

    :raises InvalidName: it is not.
    """
    if not name:
        raise InvalidName("a session name is empty")
    if len(name) > _MAX_LEN:
        raise InvalidName(f"a session name is at most {_MAX_LEN} characters long, this one has {len(name)}")
    if other := _OTHER.search(name):
        raise InvalidName(f"a session name has only A-Z a-z 0-9 . _ -, not {other.group()!r}")
    if name[0] in ".-":
        raise InvalidName(f"a session name does not begin with {name[0]!r}")
    return name
