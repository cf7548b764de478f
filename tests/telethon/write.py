"""Writes a session file as a program on Telethon 1 does, and prints as JSON what the library itself reads back from it.

    python write.py CASE FILE SEED

FILE ends in `.session`. Every value is made up from SEED. The cases:

    plain       one that was logged in and saw updates
    ipv6        the same over IPv6
    fresh       one that never connected
    no-state    one that was killed before its account's state was written; channels' states are there
    no-self     one that was killed before it was written whose it is
    takeout     one in the middle of an export, with sent files
    open        a plain one that is left open in the middle of a transaction: one line for what is committed, and after the
                end of standard input, when the transaction was committed, another
    upgrade     writes nothing: opens FILE, and with it brings it up to its version
"""

import datetime
import json
import random
import sqlite3
import sys

from telethon.crypto import AuthKey
from telethon.sessions import SQLiteSession
from telethon.tl import types

# Telegram's own data centers, as libraries have them built in.
V4 = ["149.154.175.53", "149.154.167.51", "149.154.175.100", "149.154.167.91", "91.108.56.130"]
V6 = [
    "2001:b28:f23d:f001::a",
    "2001:67c:4e8:f002::a",
    "2001:b28:f23d:f003::a",
    "2001:67c:4e8:f004::a",
    "2001:b28:f23f:f005::a",
]


def state(pts, qts, date, seq):
    return types.updates.State(pts, qts, date, seq, unread_count=0)


def log_in(session, rng, addresses):
    dc = rng.randint(1, 5)
    session.set_dc(dc, addresses[dc - 1], rng.choice([80, 443, 5222]))
    session.auth_key = AuthKey(rng.randbytes(256))


def see_peers(session, rng, me):
    photo = types.ChatPhotoEmpty()
    date = datetime.datetime.now(datetime.timezone.utc)

    def access_hash():
        return rng.randint(-(2**63), 2**63 - 1) or 1

    users = [
        types.User(id=me, is_self=True, access_hash=access_hash(), first_name="Me", username="My_Name%d" % me, phone="34600123456"),
        types.User(id=rng.randint(1, 2**40), access_hash=access_hash(), first_name="Someone", last_name="Ünïcode"),
    ]
    chats = [
        types.Chat(id=rng.randint(1, 2**31 - 1), title="Group", photo=photo, participants_count=3, date=date, version=1),
        types.Channel(id=rng.randint(1, 2**40), title="Channel", photo=photo, date=date, access_hash=access_hash(), username="news"),
    ]
    session.process_entities(types.contacts.ResolvedPeer(None, users, chats))


def write_self(session, me):
    """As `_save_states_and_entities` of telegrambaseclient.py."""
    session.process_entities(types.contacts.ResolvedPeer(None, [types.InputPeerUser(0, me)], []))


def see_updates(session, rng):
    date = datetime.datetime.fromtimestamp(rng.randint(1, 2**31 - 1), datetime.timezone.utc)
    session.set_update_state(0, state(rng.randint(0, 2**31 - 1), rng.randint(0, 2**31 - 1), date, rng.randint(0, 2**31 - 1)))


def see_channels(session, rng):
    now = datetime.datetime.now()
    for _ in range(rng.randint(1, 20)):
        session.set_update_state(rng.randint(1, 2**40), state(rng.randint(0, 2**31 - 1), 0, now, 0))


def send_files(session, rng):
    session.cache_file(rng.randbytes(16), 5, types.InputPhoto(1, 2, b""))
    session.cache_file(rng.randbytes(16), 6, types.InputDocument(3, 4, b""))


def facts(file):
    """What a new session of the library says of the file, and what only the tables say."""
    session = SQLiteSession(file)
    states = {id: state for id, state in session.get_update_states()}
    account = states.pop(0, None)
    try:
        me = session.get_input_entity(0).access_hash
    except ValueError:
        me = None
    key = session.auth_key
    table = sqlite3.connect(file)

    def row(sql, *values):
        return table.execute(sql, values).fetchone()

    try:
        return {
            "version": row("select version from version")[0],
            "dc_id": session.dc_id,
            "server_address": session.server_address,
            "port": session.port,
            "auth_key": key.key.hex() if key else None,
            "takeout": session.takeout_id is not None,
            "user_id": me,
            "username": (row("select username from entities where id = ?", me) or [None])[0],
            "state": account and [account.pts, account.qts, int(account.date.timestamp()), account.seq],
            "channels": sorted([id, state.pts] for id, state in states.items()),
            "entities": row("select count(*) from entities where id != 0")[0],
            "sent_files": row("select count(*) from sent_files")[0],
        }
    finally:
        table.close()
        session.close()


def say(file):
    print(json.dumps(facts(file)), flush=True)


def main(case, file, seed):
    rng = random.Random(seed)
    session = SQLiteSession(file)
    if case not in ("fresh", "upgrade"):
        me = rng.randint(1, 2**40)
        log_in(session, rng, V6 if case == "ipv6" else V4)
        see_peers(session, rng, me)
        see_channels(session, rng)
        if case != "no-self":
            write_self(session, me)
        if case != "no-state":
            see_updates(session, rng)
        if case == "takeout":
            session.takeout_id = rng.randint(1, 2**63 - 1)
            send_files(session, rng)
    if case != "open":
        session.close()
        say(file)
        return
    session.save()
    say(file)
    see_updates(session, rng)
    see_peers(session, rng, me)
    print("open", flush=True)
    sys.stdin.read()
    session.close()
    say(file)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
