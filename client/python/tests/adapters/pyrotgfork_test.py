"""PyroTGFork, as it is published, on sessiond."""

from __future__ import annotations

from collections.abc import Callable

import pyrogram
from pyrogram_pain import Pain
from pyrogram_states import states_are_durable_as_they_are_reported
from pyrogram_suite import Fork, Rule, Suite

from sessiond.adapters.pyrotgfork import SessiondStorage

FORK = Fork(pyrogram, SessiondStorage, "storage_engine", skip_updates=False)


class TestPyroTGFork(Suite):
    fork = FORK

    def test_states_are_durable_as_they_are_reported(self, run: Callable[[Rule], None]) -> None:
        run(states_are_durable_as_they_are_reported)


class TestPyroTGForkPain(Pain):
    name = "pyrotgfork"
    left = (500, 50)
