"""Adds to the states of accounts in Telethon's own session files, as a program that shares them with others.

    python share.py FOLDER NAME...

It goes on until it is killed. A line on the standard output says what came of each attempt: `saved NAME`, once the state is
in the file, or `locked NAME`.
"""

import datetime
import pathlib
import random
import sqlite3
import sys

from telethon.sessions import SQLiteSession
from telethon.tl import types


def main(folder, names):
    sessions = {}
    while True:
        name = random.choice(names)
        try:
            if name not in sessions:
                sessions[name] = SQLiteSession(str(pathlib.Path(folder, name)))
            add_one(sessions[name])
        except sqlite3.OperationalError:
            # "database is locked": what Telethon's users get, after 5 s.
            print("locked", name, flush=True)
        else:
            print("saved", name, flush=True)


def add_one(session):
    state = session.get_update_state(0)
    pts = state.pts + 1 if state else 1
    date = datetime.datetime.now(datetime.timezone.utc)
    session.set_update_state(0, types.updates.State(pts, 0, date, 0, unread_count=0))
    session.save()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
