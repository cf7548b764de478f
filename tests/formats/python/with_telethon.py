"""telethon-v1 and telethon-string, with Telethon 1."""

import datetime
import sqlite3
from pathlib import Path

from telethon.crypto import AuthKey
from telethon.sessions import SQLiteSession, StringSession
from telethon.tl import types

from contents import attribute, attributes, data_center, home, kind_of, known, number

FILES = {0: types.InputDocument, 1: types.InputPhoto}


def write(format, path, contents):
    session = StringSession() if format == "telethon-string" else SQLiteSession(path)
    dc, key, host, port = home(contents)
    session.set_dc(dc, host, port)
    session.auth_key = AuthKey(key)
    if format == "telethon-string":
        Path(path).write_text(session.save())
        return
    see_peers(session, contents)
    see_state(session, contents["session"])
    keep_attributes(session, contents)
    session.close()


def see_peers(session, contents):
    users = [user(peer) for peer in contents["peers"] if int(peer["id"]) > 0]
    chats = [chat(peer) for peer in contents["peers"] if int(peer["id"]) < 0]
    session.process_entities(types.contacts.ResolvedPeer(None, users, chats))
    me = contents["session"].get("user")
    if me:
        # As `_save_states_and_entities` of telegrambaseclient.py.
        session.process_entities(types.contacts.ResolvedPeer(None, [types.InputPeerUser(0, int(me["id"]))], []))


def user(peer):
    username = (peer.get("usernames") or [None])[0]
    return types.User(
        id=int(peer["id"]),
        access_hash=int(peer["access_hash"]),
        first_name=peer.get("name"),
        username=username,
        phone=peer.get("phone"),
    )


def chat(peer):
    id, photo, now = int(peer["id"]), types.ChatPhotoEmpty(), datetime.datetime.now(datetime.timezone.utc)
    if kind_of(id) == "group":
        return types.Chat(id=-id, title=peer.get("name"), photo=photo, participants_count=3, date=now, version=1)
    username = (peer.get("usernames") or [None])[0]
    channel = -id - 10**12
    access_hash = int(peer["access_hash"])
    return types.Channel(
        id=channel, title=peer.get("name"), photo=photo, date=now, access_hash=access_hash, username=username
    )


def see_state(session, contents):
    state = contents.get("state")
    if not state:
        return
    date = datetime.datetime.fromtimestamp(state["date"], datetime.timezone.utc)
    session.set_update_state(0, types.updates.State(state["pts"], state["qts"], date, state["seq"], 0))
    for channel in state["channels"]:
        now = datetime.datetime.now()
        session.set_update_state(int(channel["id"]), types.updates.State(channel["pts"], 0, now, 0, 0))


def keep_attributes(session, contents):
    takeout = number(contents, "takeout_id")
    if takeout is not None:
        session.takeout_id = takeout
    for key, value in attributes(contents).items():
        if key.startswith("telethon.file/"):
            digest, size, type = key.removeprefix("telethon.file/").split(".")
            id, access_hash = (int.from_bytes(value[at : at + 8], "little", signed=True) for at in (0, 8))
            session.cache_file(bytes.fromhex(digest), int(size), FILES[int(type)](id, access_hash, b""))


def read(format, path):
    if format == "telethon-string":
        session = StringSession(Path(path).read_text().strip())
        return {"session": facts(session)}
    session = SQLiteSession(path)
    # The library asks for one peer and one file at a time, so that which there are is what its table says.
    table = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        contents = {"session": facts(session), "peers": peers(session, table), "attributes": kept(session, table)}
        contents["session"]["user"] = whose(session)
        contents["session"]["state"] = state(session)
        return contents
    finally:
        table.close()
        session.close()


def facts(session):
    dc = data_center(session.dc_id, session.auth_key.key, session.server_address, session.port)
    return {"dcs": [dc], "home_dc": session.dc_id}


def whose(session):
    try:
        return {"id": str(session.get_input_entity(0).access_hash), "dc": session.dc_id}
    except ValueError:
        return None


def state(session):
    states = dict(session.get_update_states())
    account = states.pop(0, None)
    channels = [{"id": str(id), "pts": state.pts} for id, state in sorted(states.items())]
    # It takes counters of zero for none.
    if not account or not (account.pts or account.qts or account.seq or channels):
        return None
    date = int(account.date.timestamp())
    return {"pts": account.pts, "qts": account.qts, "date": date, "seq": account.seq, "channels": channels}


def peers(session, table):
    found = []
    for id, username, phone, name, seen in table.execute(
        "select id, username, phone, name, date from entities where id != 0 order by id"
    ):
        entity = session.get_input_entity(id)
        for other in username, phone and f"+{phone}":
            if other and session.get_input_entity(other) != entity:
                raise ValueError(f"Telethon does not find {id} by its other name")
        found.append(
            known(
                id=str(id),
                access_hash=str(getattr(entity, "access_hash", 0)),
                usernames=[username] if username else None,
                phone=phone and str(phone),
                name=name,
                seen=seen,
            )
        )
    return found


def kept(session, table):
    found = [attribute("takeout_id", session.takeout_id)] if session.takeout_id is not None else []
    # Its own `get_file` fails on every file that is there: it makes an object without the file reference.
    for digest, size, type, *file in table.execute("select md5_digest, file_size, type, id, hash from sent_files"):
        value = b"".join(each.to_bytes(8, "little", signed=True) for each in file)
        found.append(attribute(f"telethon.file/{digest.hex()}.{size}.{type}", value))
    return found
