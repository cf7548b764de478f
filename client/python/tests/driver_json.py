"""What the runner of the scenarios says and reads (tests/conformance/README.md), as this client takes and tells it."""

from __future__ import annotations

from base64 import b64decode, b64encode
from datetime import datetime
from typing import Any

import sessiond

Json = dict[str, Any]


def session_given(given: Json) -> sessiond.Session:
    user, state = given.get("user"), given.get("state")
    return sessiond.Session(
        dcs=[_data_center_given(dc) for dc in given.get("dcs", [])],
        user=None
        if user is None
        else sessiond.User(
            id=int(user.get("id", 0)),
            dc=user.get("dc", 0),
            bot=user.get("bot"),
            username=user.get("username"),
        ),
        state=None
        if state is None
        else sessiond.UpdateState(
            pts=state.get("pts", 0),
            qts=state.get("qts", 0),
            date=int(state.get("date", 0)),
            seq=state.get("seq", 0),
            channels=_channels_given(state),
        ),
        home_dc=given.get("home_dc"),
        test_mode=given.get("test_mode"),
        version=given.get("version", 1),
    )


def change_given(given: Json) -> sessiond.StateChange:
    return sessiond.StateChange(
        pts=given.get("pts"),
        qts=given.get("qts"),
        date=number(given.get("date")),
        seq=given.get("seq"),
        channels=_channels_given(given),
        removed_channels=[int(id) for id in given.get("removed_channels", [])],
    )


def clear_given(given: Json | None) -> sessiond.Clear | None:
    return None if given is None else sessiond.Clear(**given)


def peer_given(given: Json) -> sessiond.Peer:
    usernames = given.get("usernames")
    return sessiond.Peer(
        id=int(given.get("id", 0)),
        access_hash=number(given.get("access_hash")),
        kind=kind_given(given.get("kind", "UNSPECIFIED")),
        bot=given.get("bot"),
        is_self=given.get("is_self"),
        min=given.get("min"),
        usernames=None if usernames is None else usernames.get("names", []),
        phone=given.get("phone"),
        name=given.get("name"),
        seen=number(given.get("seen")),
        extra={key: b64decode(value) for key, value in given.get("extra", {}).items()},
    )


def peer_key_given(given: Json) -> sessiond.PeerKey:
    return sessiond.PeerKey(id=int(given["id"])) if "id" in given else sessiond.PeerKey(**given)


def kind_given(text: str) -> sessiond.PeerKind | None:
    return None if text == "UNSPECIFIED" else sessiond.PeerKind(text)


def attribute_given(given: Json) -> sessiond.Attribute:
    return sessiond.Attribute(given["key"], b64decode(given.get("value", "")), given.get("secret", False))


def number(given: str | int | None) -> int | None:
    return None if given is None else int(given)


def session(session: sessiond.Session | None) -> Json | None:
    if session is None:
        return None
    user, state = session.user, session.state
    return present(
        version=session.version,
        dcs=[
            present(
                id=dc.id,
                ipv4_addr=dc.ipv4_addr,
                ipv6_addr=dc.ipv6_addr,
                auth=None if dc.auth is None else text(dc.auth),
                has_auth=dc.has_auth,
            )
            for dc in session.dcs
        ],
        user=None if user is None else _user(user),
        state=None
        if state is None
        else {
            "pts": state.pts,
            "qts": state.qts,
            "date": str(state.date),
            "seq": state.seq,
            "channels": _channels(state.channels),
        },
        home_dc=session.home_dc,
        test_mode=session.test_mode,
    )


def holder(holder: sessiond.Holder | None) -> Json | None:
    if holder is None:
        return None
    return {
        "label": holder.label,
        "pid": holder.pid or 0,
        "uid": holder.uid,
        "executable": holder.executable,
        "since": time(holder.since),
        "host": holder.host,
    }


def waiting(waiting: sessiond.Waiting) -> Json:
    return present(holder=holder(waiting.holder), position=waiting.position)


def loaded(loaded: sessiond.Loaded) -> Json:
    return present(
        session=session(loaded.session), revision=str(loaded.revision), holder=holder(loaded.holder)
    )


def summary(summary: sessiond.SessionSummary) -> Json:
    return present(
        name=summary.name,
        revision=str(summary.revision),
        user=None if summary.user is None else _user(summary.user),
        changed=time(summary.changed),
        holder=holder(summary.holder),
        pts=summary.pts,
        channel_count=summary.channel_count,
        dcs_with_auth=list(summary.dcs_with_auth),
        waiting=summary.waiting,
        watchers=summary.watchers,
        damaged=summary.damaged,
        test_mode=summary.test_mode,
    )


def event(event: sessiond.WatchEvent) -> Json:
    match event:
        case sessiond.Restarted(reason):
            return {"event": "restarted", "reason": reason.value}
        case sessiond.Snapshot():
            return present(
                event="snapshot",
                name=event.name,
                revision=str(event.revision),
                session=session(event.session),
                holder=holder(event.holder),
            )
        case sessiond.Synced(revision, store_id):
            return {"event": "synced", "revision": str(revision), "store_id": store_id}
        case sessiond.Bookmark(revision):
            return {"event": "bookmark", "revision": str(revision)}
        case sessiond.Commit():
            return present(
                name=event.name,
                revision=str(event.revision),
                previous_revision=str(event.previous_revision),
                time=time(event.time),
                **_change_of(event),
            )


def peer(peer: sessiond.Peer | None) -> Json | None:
    if peer is None:
        return None
    return present(
        id=str(peer.id),
        access_hash=None if peer.access_hash is None else str(peer.access_hash),
        has_access_hash=peer.access_hash is not None,
        kind="UNSPECIFIED" if peer.kind is None else peer.kind.value,
        bot=peer.bot,
        is_self=peer.is_self,
        min=peer.min,
        usernames=None if peer.usernames is None else {"names": peer.usernames},
        phone=peer.phone,
        name=peer.name,
        seen=None if peer.seen is None else str(peer.seen),
        extra={key: text(value) for key, value in peer.extra.items()},
    )


def attribute(attribute: sessiond.Attribute) -> Json:
    return {
        "key": attribute.key,
        "value": text(attribute.value or b""),
        "secret": attribute.secret,
        "has_value": attribute.has_value,
    }


def refusal(error: sessiond.Error) -> Json:
    match error:
        case sessiond.InvalidArgument():
            return {"reason": error.reason}
        case sessiond.HeldByAnother():
            return present(
                reason="HELD_BY_ANOTHER", label=error.label, pid=error.pid, since=time(error.since)
            )
        case sessiond.Lost():
            return {"reason": "LOST", "lost": error.reason.value}
        case sessiond.RevisionMismatch():
            return {"reason": "REVISION_MISMATCH", "current": str(error.current)}
        case sessiond.FileInUse():
            return {"reason": "FILE_IN_USE", "pids": list(error.pids)}
        case sessiond.ChangeRefused():
            return {
                "reason": "CHANGE_REFUSED",
                "sequence": str(error.sequence),
                "refusal": refusal(error.refusal),
            }
        case _:
            return {"reason": _REASONS[type(error)]}


_REASONS: dict[type[sessiond.Error], str] = {
    sessiond.InvalidName: "INVALID_NAME",
    sessiond.Fenced: "FENCED",
    sessiond.ForeignFile: "FOREIGN_FILE",
    sessiond.NotPermitted: "NOT_PERMITTED",
    sessiond.Damaged: "SESSION_DAMAGED",
    sessiond.LimitExceeded: "LIMIT_EXCEEDED",
    sessiond.StorageFull: "STORAGE_FULL",
    sessiond.StorageFailed: "STORAGE_FAILED",
    sessiond.Unavailable: "UNAVAILABLE",
    sessiond.Error: "OTHER",
}


def present(**fields: Any) -> Json:
    """An object, without the fields that are absent."""
    return {name: value for name, value in fields.items() if value is not None}


def text(value: bytes) -> str:
    return b64encode(value).decode()


def time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat().replace("+00:00", "Z")


def _change_of(commit: sessiond.Commit) -> Json:
    match commit:
        case sessiond.Advanced(change=change):
            return {"event": "advanced", "change": _change(change)}
        case sessiond.Saved():
            return {"event": "saved", "session": session(commit.session)}
        case sessiond.Deleted():
            return {"event": "deleted"}
        case sessiond.HoldChanged():
            reason = "UNSPECIFIED" if commit.reason is None else commit.reason.value
            return {"event": "hold_changed", "holder": holder(commit.holder), "reason": reason}
        case _:
            return {"event": "unknown"}


def _change(change: sessiond.StateChange) -> Json:
    return present(
        pts=change.pts,
        qts=change.qts,
        date=None if change.date is None else str(change.date),
        seq=change.seq,
        channels=_channels(change.channels),
        removed_channels=[str(id) for id in change.removed_channels],
    )


def _user(user: sessiond.User) -> Json:
    return present(id=str(user.id), dc=user.dc, bot=user.bot, username=user.username)


def _channels(channels: list[sessiond.ChannelState]) -> list[Json]:
    return [{"id": str(channel.id), "pts": channel.pts} for channel in channels]


def _data_center_given(given: Json) -> sessiond.DataCenter:
    auth = given.get("auth")
    return sessiond.DataCenter(
        id=given.get("id", 0),
        ipv4_addr=given.get("ipv4_addr"),
        ipv6_addr=given.get("ipv6_addr"),
        auth=None if auth is None else b64decode(auth),
        withheld=auth is None and given.get("has_auth", False),
    )


def _channels_given(given: Json) -> list[sessiond.ChannelState]:
    return [
        sessiond.ChannelState(int(channel.get("id", 0)), channel.get("pts", 0))
        for channel in given.get("channels", [])
    ]
