"""Hydrogram, as it is published, on sessiond."""

from __future__ import annotations

import hydrogram
from pyrogram_pain import Pain
from pyrogram_suite import Fork, Suite

from sessiond.adapters.hydrogram import SessiondStorage

FORK = Fork(hydrogram, SessiondStorage, "session_storage_engine")


class TestHydrogram(Suite):
    fork = FORK


class TestHydrogramPain(Pain):
    name = "hydrogram"
    counts = False
    left = (None, 50)
