"""What every driver needs of contents.json."""

CHANNEL_MARK = 10**12


def home(contents):
    """The home data center and its address, which is the one it has: (id, key, host, port)."""
    session = contents["session"]
    dc = next(dc for dc in session["dcs"] if dc["id"] == session["home_dc"])
    address = dc.get("ipv4_addr") or dc.get("ipv6_addr")
    host, port = address.rsplit(":", 1) if address else (None, None)
    return dc["id"], bytes.fromhex(dc["auth"]), host, port and int(port)


def data_center(id, key, host=None, port=None):
    dc = {"id": id, "auth": key.hex()}
    if host:
        dc["ipv6_addr" if ":" in host else "ipv4_addr"] = f"{host}:{port}"
    return dc


def number(contents, key):
    """An attribute that is a number, or None."""
    value = attributes(contents).get(key)
    return None if value is None else int.from_bytes(value, "little", signed=True)


def attributes(contents):
    return {each["key"]: bytes.fromhex(each["value"]) for each in contents.get("attributes", [])}


def attribute(key, value, secret=False):
    """A number or bytes as an attribute."""
    if isinstance(value, int):
        value = value.to_bytes(8, "little", signed=True)
    return {"key": key, "value": value.hex(), "secret": secret}


def mark(channel):
    return -(CHANNEL_MARK + channel)


def kind_of(id):
    return "user" if id > 0 else "channel" if id < -CHANNEL_MARK else "group"


def known(**fields):
    """The fields that are known, as contents.json has them."""
    return {name: value for name, value in fields.items() if value is not None}
