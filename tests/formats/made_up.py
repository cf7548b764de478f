#!/usr/bin/env python3
"""Contents that a library can hold, made up from a number, and what differs between two contents.

    made_up.py FORMAT LIBRARY VERSION SEED write|read

prints contents.json for a cell of matrix.json: of `write`, what the library itself can put into a file; of `read`, also what
it tells of a file and has no say in, such as when a peer was last seen.
"""

import ipaddress
import json
import random
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
MARK = 10**12
CHANNELS = (1, 2**39)

# Telegram's own data centers, as libraries have them built in: of production, and of the test servers.
PRODUCTION = {
    1: ("149.154.175.53", "2001:b28:f23d:f001::a"),
    2: ("149.154.167.51", "2001:67c:4e8:f002::a"),
    3: ("149.154.175.100", "2001:b28:f23d:f003::a"),
    4: ("149.154.167.91", "2001:67c:4e8:f004::a"),
    5: ("91.108.56.130", "2001:b28:f23f:f005::a"),
}
TEST = {
    1: ("149.154.175.10", "2001:b28:f23d:f001::e"),
    2: ("149.154.167.40", "2001:67c:4e8:f002::e"),
    3: ("149.154.175.117", "2001:b28:f23d:f003::e"),
}


def cells():
    return json.loads((HERE / "matrix.json").read_text())["cells"]


def made_up(cell, seed, direction):
    """What the drivers of a cell take."""
    rng = random.Random(f"{seed} of {cell['format']}")
    if "accounts" not in cell:
        return Maker(cell, rng, direction).contents()
    accounts = [Maker(cell, rng, direction).contents() for _ in range(rng.randint(1, cell["accounts"]))]
    return {"passcode": rng.choice([None, "pässwort 1"]), "accounts": accounts}


class Maker:
    def __init__(self, cell, rng, direction):
        self.cell, self.rng, self.direction = cell, rng, direction

    def contents(self):
        contents = {"session": self.session()}
        if "peers" in self.cell:
            contents["peers"] = self.peers(contents["session"].get("user"))
        if "attributes" in self.cell:
            contents["attributes"] = self.attributes(contents["session"])
        return contents

    def session(self):
        rng, cell = self.rng, self.cell
        session = {}
        if cell.get("test_mode"):
            session["test_mode"] = rng.random() < 0.3
        servers = TEST if session.get("test_mode") else PRODUCTION
        home = rng.choice(list(servers))
        others = rng.sample(list(servers), rng.randint(0, len(servers))) if cell.get("all_dcs") else []
        ids = sorted({home, *others})
        # Where one library keeps every key and one address, it is the home data center's.
        session["dcs"] = [self.dc(id, servers[id], id == home or cell["format"] != "mtcute") for id in ids]
        session["home_dc"] = home
        if "user" in cell:
            session["user"] = self.user(home)
        if cell.get("state"):
            session["state"] = self.state()
        return session

    def dc(self, id, server, with_address):
        cell, rng = self.cell, self.rng
        dc = {"id": id}
        if "address" in cell and with_address:
            family = rng.randint(0, 1)
            is_known = cell.get("known_address") or rng.random() < 0.5
            if not is_known:
                server = (str(ipaddress.IPv4Address(rng.getrandbits(32))), ipaddress.IPv6Address(rng.getrandbits(128)).compressed)
            elif self.direction == "read" and cell["address"] == "one":
                # sessiond exports the IPv4 address of a known data center where there is a place for one.
                family = 0
            first = rng.choice([443, 80, 5222])
            second = first if cell.get("same_port") else rng.choice([443, 80, 5222])
            if cell["address"] == "both" or family == 0:
                dc["ipv4_addr"] = f"{server[0]}:{first}"
            if cell["address"] == "both" or family == 1:
                dc["ipv6_addr"] = f"{server[1]}:{second}"
        dc["auth"] = rng.randbytes(256).hex()
        return dc

    def user(self, home):
        rng, fields = self.rng, self.cell["user"]
        if not self.cell.get("user_required") and rng.random() < 0.2:
            return None
        user = {"id": str(self.user_id()), "dc": home}
        if "bot" in fields:
            user["bot"] = rng.random() < 0.5
        if "username" in fields and rng.random() < 0.7:
            user["username"] = self.username()
        return user

    def state(self):
        rng = self.rng
        if rng.random() < 0.2:
            return None
        counters = {name: rng.randint(1, 2**31 - 1) for name in ("pts", "qts", "date", "seq")}
        ids = {rng.randint(1, 2**39) for _ in range(rng.choice([0, 1, 20]))} if self.cell.get("channels") else ()
        channels = [{"id": str(id), "pts": rng.randint(1, 2**31 - 1)} for id in sorted(ids)]
        return {**counters, "channels": channels}

    def peers(self, user):
        rng, rules = self.rng, self.cell["peers"]
        kinds = rules.get("kinds") or ["user", "group", "channel_unknown"]
        peers = {}
        for _ in range(rng.choice([0, 3, 30])):
            kind = rng.choice(kinds)
            peer = self.peer(kind, rules)
            if "kinds" in rules:
                peer["kind"] = kind
            peers[int(peer["id"])] = peer
        if user and self.cell.get("user_in_peers"):
            me = {"id": user["id"], "access_hash": str(self.access_hash()), "kind": "user", "is_self": True}
            peers[int(user["id"])] = {**me, "bot": user["bot"]}
        return [peers[id] for id in sorted(peers)]

    def peer(self, kind, rules):
        rng, fields = self.rng, rules["fields"]
        if kind == "user":
            id = self.user_id()
        else:
            id = -rng.randint(1, 2**31 - 1) if kind == "group" else -(MARK + rng.randint(*self.cell.get("channel_ids", CHANNELS)))
        peer = {"id": str(id)}
        told = fields + (rules.get("told", []) if self.direction == "read" else [])
        if kind != "group":
            peer["access_hash"] = str(self.access_hash())
            names = [self.username() for _ in range(rng.randint(0, rules.get("usernames", 0)))]
            if names:
                peer["usernames"] = names
        if kind == "user":
            if "bot" in fields:
                peer["bot"] = rng.random() < 0.3
            if "bots" in fields and rng.random() < 0.3:
                peer["bot"] = True
            if "phone" in fields and rng.random() < 0.5:
                peer["phone"] = str(rng.randint(10**9, 10**12))
        if "name" in fields:
            peer["name"] = rng.choice(["Alice", "Ünïcode Näme", "名前", "a 'quoted' \"name\""]) + str(rng.randint(1, 10**6))
        if "min" in fields:
            peer["min"] = rng.random() < 0.2 and kind != "group"
        if "seen" in told:
            peer["seen"] = rng.randint(1, 2**31 - 1)
        if "mtcute.complete" in fields:
            peer["extra"] = {"mtcute.complete": rng.randbytes(rng.randint(4, 200)).hex()}
        return peer

    def attributes(self, session):
        found = []
        for key in self.cell.get("attributes", []):
            found += getattr(self, key.replace(".", "_"))(session)
        return sorted(found, key=lambda each: each["key"])

    def api_id(self, session):
        return [number("api_id", self.rng.randint(1, 2**31 - 1))]

    def created(self, session):
        return [number("created", self.rng.randint(1, 2**31 - 1))]

    def takeout_id(self, session):
        return [number("takeout_id", self.rng.randint(1, 2**63 - 1))] if self.rng.random() < 0.3 else []

    def telethon_file(self, session):
        rng = self.rng
        name = lambda: f"telethon.file/{rng.randbytes(16).hex()}.{rng.randint(1, 2**31)}.{rng.randint(0, 1)}"
        return [blob(name(), int64(self.access_hash()) + int64(self.access_hash())) for _ in range(rng.choice([0, 2]))]

    def mtcute_kv(self, session):
        rng = self.rng
        return [blob(f"mtcute.kv/{key}", rng.randbytes(rng.randint(1, 50))) for key in rng.sample(["future", "salts:2", "x/y"], 2)]

    def mtcute_temp(self, session):
        rng = self.rng
        value = lambda: int64(rng.randint(10**12, 2 * 10**12)) + rng.randbytes(256)
        return [blob(f"mtcute.temp/{dc}.{index}", value(), True) for dc, index in rng.sample([(1, 0), (2, 0), (2, 1)], 2)]

    def mtcute_ref(self, session):
        rng = self.rng
        peer, chat, message = self.user_id(), -(MARK + rng.randint(1, 2**39)), rng.randint(1, 2**31 - 1)
        return [
            blob(f"mtcute.ref/p/{peer}/{chat}/{message}", b""),
            blob(f"mtcute.ref/m/{chat}/{message}/{peer}", b""),
        ]

    def gotd_config(self, session):
        """gotd's configuration, in the order in which gotd writes it. It is where the addresses of a file of gotd are."""
        if self.rng.random() < 0.3:
            for dc in session["dcs"]:
                dc.pop("ipv4_addr", None)
                dc.pop("ipv6_addr", None)
            return []
        options = []
        for dc in session["dcs"]:
            for field in "ipv4_addr", "ipv6_addr":
                options.append(option(dc["id"], *dc[field].rsplit(":", 1), field == "ipv6_addr"))
        config = {
            "BlockedMode": False,
            "ForceTryIpv6": False,
            "Date": self.rng.randint(1, 2**31 - 1),
            "Expires": self.rng.randint(1, 2**31 - 1),
            "TestMode": session["test_mode"],
            "ThisDC": session["home_dc"],
            "DCOptions": options,
            "DCTxtDomainName": "apv3.stel.com",
            "TmpSessions": 0,
            "WebfileDCID": 4,
        }
        return [blob("gotd.config", json.dumps(config, separators=(",", ":")).encode())]

    def gotd_salt(self, session):
        return [number("gotd.salt", self.access_hash())]

    def user_id(self):
        return self.rng.randint(1, 2**40)

    def access_hash(self):
        return self.rng.randint(-(2**63), 2**63 - 1) or 1

    def username(self):
        # Libraries keep them in lower case.
        return f"name_{self.rng.getrandbits(48):x}"


def option(id, host, port, ipv6):
    names = ("Ipv6", "MediaOnly", "TCPObfuscatedOnly", "CDN", "Static", "ThisPortOnly")
    flags = {name: ipv6 and name == "Ipv6" for name in names}
    return {"Flags": int(ipv6), **flags, "ID": id, "IPAddress": host, "Port": int(port), "Secret": None}


def int64(value):
    return value.to_bytes(8, "little", signed=True)


def number(key, value):
    return blob(key, int64(value))


def blob(key, value, secret=False):
    return {"key": key, "value": value.hex(), "secret": secret}


def differences(given, seen, where=""):
    """What of `given` is not in `seen`. What `given` does not say is not compared, but nobody may be made up: a peer, a channel
    or a data center with a key that was not given is a difference."""
    if isinstance(given, dict):
        if not isinstance(seen, dict):
            return [f"{where}: {short(given)}, and it is {short(seen)}"]
        return [each for key in given for each in differences(given[key], seen.get(key), f"{where}.{key}")]
    if isinstance(given, list) and given and isinstance(given[0], dict) or (given == [] and isinstance(seen, list)):
        return listed(given, seen or [], where)
    return [] if given == seen else [f"{where}: {short(given)}, and it is {short(seen)}"]


def listed(given, seen, where):
    if where.endswith(".accounts"):
        pairs = [] if len(given) == len(seen) else [f"{where}: {len(given)}, and they are {len(seen)}"]
        for index, (one, other) in enumerate(zip(given, seen)):
            pairs += differences(one, other, f"{where}[{index}]")
        return pairs
    name = "key" if where.endswith(".attributes") else "id"
    by_name = {each[name]: each for each in seen}
    found = [each for one in given for each in differences(one, by_name.pop(one[name], None), f"{where}[{one[name]}]")]
    extra = [] if name == "key" else [id for id, each in by_name.items() if not where.endswith(".dcs") or each.get("auth")]
    return found + [f"{where}[{id}]: it was not given" for id in extra]


def short(value):
    text = json.dumps(value)
    return text if len(text) < 80 else f"{text[:60]}... ({len(text)} characters)"


def cell_of(format, library, version):
    names = (format, library, version)
    return next(cell for cell in cells() if (cell["format"], cell["library"], cell["version"]) == names)


if __name__ == "__main__":
    print(json.dumps(made_up(cell_of(*sys.argv[1:4]), sys.argv[4], sys.argv[5])))
