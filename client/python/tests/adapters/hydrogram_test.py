"""Hydrogram, as it is published, on sessiond."""

from __future__ import annotations

import hydrogram
from pyrogram_suite import Fork, Suite

from sessiond.adapters.hydrogram import SessiondStorage


class TestHydrogram(Suite):
    fork = Fork(hydrogram, SessiondStorage, "session_storage_engine")
