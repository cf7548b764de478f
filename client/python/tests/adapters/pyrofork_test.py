"""Pyrofork, as it is published, on sessiond."""

from __future__ import annotations

from collections.abc import Callable

import pyrogram
from pyrogram_states import states_are_durable_as_they_are_reported
from pyrogram_suite import Fork, Rule, Suite

from sessiond.adapters.pyrofork import SessiondStorage


class TestPyrofork(Suite):
    fork = Fork(pyrogram, SessiondStorage, "storage")

    def test_states_are_durable_as_they_are_reported(self, run: Callable[[Rule], None]) -> None:
        run(states_are_durable_as_they_are_reported)
