"""The formats of Pyrogram and of what became of it: of whichever of them is installed.

All of them but Hydrogram are imported as `pyrogram`. Every class that is used is the one that the library's client makes for
itself.
"""

import asyncio
import inspect
from pathlib import Path

from contents import attribute, data_center, home, known, mark, number

try:
    import hydrogram as library
    from hydrogram.storage import SQLiteStorage
except ImportError:
    import pyrogram as library
    from pyrogram.storage import *  # noqa: F403: which names there are depends on the fork

NAME = library.__name__
DISTRIBUTIONS = ("kurigram", "pyrotgfork", "pyrofork", "hydrogram", "pyrogram")


def installed():
    from importlib.metadata import PackageNotFoundError, version

    for name in DISTRIBUTIONS:
        try:
            version(name)
            return name
        except PackageNotFoundError:
            pass


LIBRARY = installed()


def file_storage(path):
    path = Path(path).absolute()
    if path.suffix != ".session":
        raise ValueError("the library's files end in .session")
    if LIBRARY in ("pyrogram", "pyrofork"):
        return FileStorage(path.stem, path.parent)  # noqa: F405
    return SQLiteStorage(path.stem, path.parent)


def string_storage(text):
    if LIBRARY in ("pyrogram", "pyrofork"):
        return MemoryStorage(":memory:", text)  # noqa: F405
    if LIBRARY == "hydrogram":
        return SQLiteStorage(":memory:", session_string=text, use_memory=True)
    return SQLiteStorage(":memory:", Path(), text, True)


def write(format, path, contents):
    asyncio.get_event_loop_policy().get_event_loop().run_until_complete(write_with(format, path, contents))


def read(format, path):
    return asyncio.get_event_loop_policy().get_event_loop().run_until_complete(read_with(format, path))


async def write_with(format, path, contents):
    string = format == "pyrogram-string"
    storage = string_storage(None) if string else file_storage(path)
    await storage.open()
    dc, key, host, port = home(contents)
    me = contents["session"]["user"]
    await storage.dc_id(dc)
    await storage.api_id(number(contents, "api_id"))
    await storage.test_mode(contents["session"]["test_mode"])
    await storage.auth_key(key)
    await storage.user_id(me and int(me["id"]))
    await storage.is_bot(me and me["bot"])
    if LIBRARY == "kurigram" and host:
        await storage.server_address(host)
        await storage.port(port)
    if string:
        Path(path).write_text(await storage.export_session_string())
    else:
        await see_peers(storage, contents["peers"])
        await see_state(storage, contents["session"].get("state"))
        await storage.save()
        created = number(contents, "created")
        if created is not None:
            await storage.date(created)
    await storage.close()


async def see_peers(storage, peers):
    """As the fork's `Client.fetch_peers` does."""
    rows = [(int(peer["id"]), int(peer.get("access_hash", 0)), type_of(peer), peer.get("phone")) for peer in peers]
    names = [peer.get("usernames") or [] for peer in peers]
    if LIBRARY == "kurigram":
        await storage.update_peers(rows)
        await storage.update_usernames([(row[0], each) for row, each in zip(rows, names)])
    elif LIBRARY == "pyrotgfork":
        await storage.update_peers([(*row[:3], each, row[3]) for row, each in zip(rows, names)])
    else:
        await storage.update_peers([(*row[:3], each[0] if each else None, row[3]) for row, each in zip(rows, names)])
        if LIBRARY == "pyrofork":
            many = [(row[0], name) for row, each in zip(rows, names) if len(each) > 1 for name in each]
            await storage.update_usernames(many)


async def see_state(storage, state):
    if not state:
        return
    rows = [(0, state["pts"], state["qts"], state["date"], state["seq"])]
    rows += [(mark(int(channel["id"])), channel["pts"], None, state["date"], None) for channel in state["channels"]]
    for row in rows:
        if LIBRARY == "kurigram":
            from pyrogram.storage.storage import UpdateState

            await storage.set_update_state(UpdateState(*row))
        else:
            await storage.update_state(row)


def type_of(peer):
    return "bot" if peer.get("bot") else peer["kind"]


async def read_with(format, path):
    string = format == "pyrogram-string"
    storage = string_storage(Path(path).read_text().strip()) if string else file_storage(path)
    await storage.open()
    try:
        contents = {"session": await facts(storage), "attributes": []}
        for key, value in ("api_id", await storage.api_id()), ("created", None if string else await storage.date()):
            if value is not None:
                contents["attributes"].append(attribute(key, value))
        if not string:
            contents["peers"] = await peers(storage)
            if LIBRARY in ("kurigram", "pyrotgfork", "pyrofork"):
                contents["session"]["state"] = await state(storage)
        return contents
    finally:
        await storage.close()


async def facts(storage):
    dc, user = await storage.dc_id(), await storage.user_id()
    address = (await storage.server_address(), await storage.port()) if LIBRARY == "kurigram" else ()
    return {
        "dcs": [data_center(dc, await storage.auth_key(), *address)],
        "home_dc": dc,
        "test_mode": bool(await storage.test_mode()),
        "user": user and {"id": str(user), "dc": dc, "bot": bool(await storage.is_bot())},
    }


async def state(storage):
    if LIBRARY == "kurigram":
        rows = [(each.id, each.pts, each.qts, each.date, each.seq) for each in await storage.get_update_states()]
    else:
        rows = await storage.update_state()
    states = {row[0]: row[1:] for row in rows}
    account = states.pop(0, None)
    if not account:
        return None
    channels = [{"id": str(-id - 10**12), "pts": state[0]} for id, state in states.items()]
    return dict(zip(("pts", "qts", "date", "seq"), account), channels=channels)


async def rows(storage, sql):
    """Rows of the library's own connection: it has no call that lists its peers."""
    result = storage.conn.execute(sql)
    if inspect.isawaitable(result):
        return await (await result).fetchall()
    return result.fetchall()


async def peers(storage):
    names = {}
    if LIBRARY in ("kurigram", "pyrotgfork"):
        for id, name in await rows(storage, "select id, username from usernames order by rowid"):
            names.setdefault(id, []).append(name)
    else:
        for id, name in await rows(storage, "select id, username from peers where username is not null"):
            names[id] = [name]
        if LIBRARY == "pyrofork":
            for id, name in await rows(storage, "select peer_id, id from usernames order by rowid"):
                if name not in names.setdefault(id, []):
                    names[id].append(name)
    columns = "select id, type, phone_number, last_update_on from peers order by id"
    return [await peer(storage, names.get(row[0]), *row) for row in await rows(storage, columns)]


async def peer(storage, usernames, id, type, phone, seen):
    found = await storage.get_peer_by_id(id)
    # A username is good for eight hours: the library refuses it after that.
    others = [] if abs(seen - now()) > 7 * 3600 else [(storage.get_peer_by_username, each) for each in usernames or []]
    for look_up, key in others + [(storage.get_peer_by_phone_number, phone)] * bool(phone):
        if await look_up(key) != found:
            raise ValueError(f"{LIBRARY} does not find {id} by its other name")
    return known(
        id=str(id),
        access_hash=None if type == "group" else str(found.access_hash),
        kind="user" if type == "bot" else type,
        bot=type == "bot" if type in ("user", "bot") else None,
        usernames=usernames,
        phone=phone,
        seen=seen,
    )


def now():
    import time

    return time.time()
