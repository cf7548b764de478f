"""Pyrofork, as it is published, on sessiond."""

from __future__ import annotations

from collections.abc import Callable

import pyrogram
from pyrogram_pain import Pain
from pyrogram_states import states_are_durable_as_they_are_reported
from pyrogram_suite import Fork, Rule, Suite

from sessiond.adapters.pyrofork import SessiondStorage

FORK = Fork(pyrogram, SessiondStorage, "storage")


class TestPyrofork(Suite):
    fork = FORK

    def test_states_are_durable_as_they_are_reported(self, run: Callable[[Rule], None]) -> None:
        run(states_are_durable_as_they_are_reported)


class TestPyroforkPain(Pain):
    name = "pyrofork"
    left = (500, 50)
