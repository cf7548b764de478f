"""Between the plain types and the messages: the one module that knows both."""

from __future__ import annotations

from datetime import datetime, timezone

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from . import _v1 as v1
from . import events
from .belongings import Attribute, Peer, PeerKey, PeerKind
from .daemon import Figures, Holder, Loaded, LostReason, ServerInfo, SessionSummary, Waiting
from .session import ChannelState, Clear, DataCenter, Session, StateChange, UpdateState, User

_LOST_REASONS = {
    # Unspecified is a hold that ran out.
    v1.LOST_REASON_UNSPECIFIED: LostReason.FENCED,
    v1.LOST_REASON_ENDED_BY_ADMIN: LostReason.ENDED_BY_ADMIN,
    v1.LOST_REASON_RESUMED_ELSEWHERE: LostReason.RESUMED_ELSEWHERE,
}
_RESTART_REASONS = {
    v1.RESTART_REASON_FIRST: events.RestartReason.FIRST,
    v1.RESTART_REASON_LOG_TRIMMED: events.RestartReason.LOG_TRIMMED,
    v1.RESTART_REASON_OTHER_STORE: events.RestartReason.OTHER_STORE,
    v1.RESTART_REASON_LAGGED: events.RestartReason.LAGGED,
}
_PEER_KINDS = {
    PeerKind.USER: v1.PEER_KIND_USER,
    PeerKind.GROUP: v1.PEER_KIND_GROUP,
    PeerKind.CHANNEL: v1.PEER_KIND_CHANNEL,
    PeerKind.SUPERGROUP: v1.PEER_KIND_SUPERGROUP,
    PeerKind.GIGAGROUP: v1.PEER_KIND_GIGAGROUP,
    PeerKind.FORUM: v1.PEER_KIND_FORUM,
    PeerKind.DIRECT: v1.PEER_KIND_DIRECT,
    PeerKind.COMMUNITY: v1.PEER_KIND_COMMUNITY,
    PeerKind.CHANNEL_UNKNOWN: v1.PEER_KIND_CHANNEL_UNKNOWN,
}
_KINDS_OF_PEERS = {number: kind for kind, number in _PEER_KINDS.items()}


def session_message(session: Session) -> v1.Session:
    """A session, to be written."""
    return v1.Session(
        version=session.version,
        dcs=[_data_center_message(dc) for dc in session.dcs],
        user=None if session.user is None else _user_message(session.user),
        state=None if session.state is None else _state_message(session.state),
        home_dc=session.home_dc,
        test_mode=session.test_mode,
    )


def session(message: v1.Session) -> Session:
    """A session that was read."""
    return Session(
        version=message.version,
        dcs=[_data_center(dc) for dc in message.dcs],
        user=_user(message.user) if message.HasField("user") else None,
        state=_state(message.state) if message.HasField("state") else None,
        home_dc=message.home_dc if message.HasField("home_dc") else None,
        test_mode=message.test_mode if message.HasField("test_mode") else None,
    )


def change_message(change: StateChange) -> v1.StateChange:
    """A change, to be written."""
    return v1.StateChange(
        pts=change.pts,
        qts=change.qts,
        date=change.date,
        seq=change.seq,
        channels=[v1.ChannelState(id=channel.id, pts=channel.pts) for channel in change.channels],
        removed_channels=change.removed_channels,
    )


def change(message: v1.StateChange) -> StateChange:
    """A change that was told."""
    return StateChange(
        pts=message.pts if message.HasField("pts") else None,
        qts=message.qts if message.HasField("qts") else None,
        date=message.date if message.HasField("date") else None,
        seq=message.seq if message.HasField("seq") else None,
        channels=[ChannelState(channel.id, channel.pts) for channel in message.channels],
        removed_channels=list(message.removed_channels),
    )


def clear_message(clear: Clear) -> v1.SaveClear:
    """What to forget."""
    return v1.SaveClear(
        auth_dcs=clear.auth_dcs,
        all_auth=clear.all_auth,
        user=clear.user,
        state=clear.state,
        channels=clear.channels,
    )


def peer_message(peer: Peer) -> v1.Peer:
    """A peer, to be kept."""
    return v1.Peer(
        id=peer.id,
        access_hash=peer.access_hash,
        kind=peer_kind_number(peer.kind),
        bot=peer.bot,
        is_self=peer.is_self,
        min=peer.min,
        usernames=None if peer.usernames is None else v1.Usernames(names=peer.usernames),
        phone=peer.phone,
        name=peer.name,
        seen=peer.seen,
        extra=peer.extra,
    )


def peer(message: v1.Peer) -> Peer:
    """A peer that was read."""
    return Peer(
        id=message.id,
        access_hash=message.access_hash if message.HasField("access_hash") else None,
        kind=_KINDS_OF_PEERS.get(message.kind),
        bot=message.bot if message.HasField("bot") else None,
        is_self=message.is_self if message.HasField("is_self") else None,
        min=message.min if message.HasField("min") else None,
        usernames=list(message.usernames.names) if message.HasField("usernames") else None,
        phone=message.phone if message.HasField("phone") else None,
        name=message.name if message.HasField("name") else None,
        seen=message.seen if message.HasField("seen") else None,
        extra=dict(message.extra),
    )


def peer_key_message(key: PeerKey) -> v1.PeerKey:
    """What a peer is looked up by."""
    if key.id is not None:
        return v1.PeerKey(id=key.id)
    if key.username is not None:
        return v1.PeerKey(username=key.username)
    if key.phone is not None:
        return v1.PeerKey(phone=key.phone)
    return v1.PeerKey(peer_name=key.peer_name or "")


def peer_kind_number(kind: PeerKind | None) -> v1.PeerKind.ValueType:
    """A kind; ``None``: not known."""
    return v1.PEER_KIND_UNSPECIFIED if kind is None else _PEER_KINDS[kind]


def attribute_message(attribute: Attribute) -> v1.Attribute:
    """An attribute, to be put."""
    return v1.Attribute(key=attribute.key, value=attribute.value or b"", secret=attribute.secret)


def attribute(message: v1.Attribute) -> Attribute:
    """An attribute that was read."""
    left_out = message.has_value and not message.value
    return Attribute(message.key, None if left_out else message.value, message.secret)


def holder(message: v1.Holder) -> Holder:
    """Who holds a session."""
    return Holder(
        label=message.label,
        pid=message.pid or None,
        uid=message.uid,
        executable=message.executable,
        since=_time(message.since) if message.HasField("since") else None,
        host=message.host,
    )


def waiting(message: v1.Waiting) -> Waiting:
    """A place in the line."""
    return Waiting(holder(message.holder) if message.HasField("holder") else None, message.position)


def lost_reason(reason: v1.LostReason.ValueType) -> LostReason:
    """Why a hold ended. One that this version does not know is a hold that ran out, too."""
    return _LOST_REASONS.get(reason, LostReason.FENCED)


def loaded(message: v1.LoadResponse) -> Loaded:
    """A session as it was read."""
    return Loaded(
        session(message.session) if message.HasField("session") else None,
        message.revision,
        holder(message.holder) if message.HasField("holder") else None,
    )


def summary(message: v1.SessionSummary) -> SessionSummary:
    """A session in short."""
    return SessionSummary(
        name=message.name,
        revision=message.revision,
        user=_user(message.user) if message.HasField("user") else None,
        changed=_time(message.changed) if message.HasField("changed") else None,
        holder=holder(message.holder) if message.HasField("holder") else None,
        pts=message.pts if message.HasField("pts") else None,
        channel_count=message.channel_count,
        dcs_with_auth=tuple(message.dcs_with_auth),
        waiting=message.waiting,
        watchers=message.watchers,
        damaged=message.damaged,
        test_mode=message.test_mode if message.HasField("test_mode") else None,
    )


def server_info(message: v1.GetServerInfoResponse) -> ServerInfo:
    """What daemon it is."""
    figures = message.figures
    return ServerInfo(
        version=message.version,
        engine=message.engine,
        store_id=message.store_id,
        features=tuple(message.features),
        figures=Figures(
            started=_time(figures.started) if figures.HasField("started") else None,
            revision=figures.revision,
            log_after=figures.log_after,
            log_bytes=figures.log_bytes,
            sessions=figures.sessions,
            held=figures.held,
            waiting=figures.waiting,
            watchers=figures.watchers,
            commits=figures.commits,
            batches=figures.batches,
            commit_p50=seconds(figures.commit_p50) or None,
            commit_p99=seconds(figures.commit_p99) or None,
        ),
    )


def event(message: v1.WatchResponse) -> events.WatchEvent:
    """What a watch told."""
    match message.WhichOneof("event"):
        case "restarted":
            reason = _RESTART_REASONS.get(message.restarted.reason, events.RestartReason.UNKNOWN)
            return events.Restarted(reason)
        case "snapshot":
            snapshot = message.snapshot
            return events.Snapshot(
                name=message.name,
                revision=message.revision,
                session=session(snapshot.session) if snapshot.HasField("session") else None,
                holder=holder(snapshot.holder) if snapshot.HasField("holder") else None,
            )
        case "synced":
            return events.Synced(message.revision, message.synced.store_id)
        case "bookmark":
            return events.Bookmark(message.revision)
        case None if not message.name:
            # Not of a session, so it stands for what was told up to its revision.
            return events.Bookmark(message.revision)
        case _:
            return _commit(message)


def seconds(duration: Duration) -> float:
    """A duration, in seconds."""
    return duration.seconds + duration.nanos / 1e9


def duration_message(seconds: float) -> Duration:
    """A duration of so many seconds."""
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration


def _commit(message: v1.WatchResponse) -> events.Commit:
    name, revision, previous = message.name, message.revision, message.previous_revision
    time = _time(message.time) if message.HasField("time") else None
    match message.WhichOneof("event"):
        case "change":
            return events.Advanced(
                name=name,
                revision=revision,
                previous_revision=previous,
                time=time,
                change=change(message.change),
            )
        case "saved":
            return events.Saved(
                name=name,
                revision=revision,
                previous_revision=previous,
                time=time,
                session=session(message.saved),
            )
        case "deleted":
            return events.Deleted(name=name, revision=revision, previous_revision=previous, time=time)
        case "hold_changed":
            changed = message.hold_changed
            # Unspecified is no reason here: the hold was released, or it began.
            reason = lost_reason(changed.reason) if changed.reason else None
            return events.HoldChanged(
                name=name,
                revision=revision,
                previous_revision=previous,
                time=time,
                holder=holder(changed.holder) if changed.HasField("holder") else None,
                reason=reason,
            )
        case _:
            return events.Commit(name=name, revision=revision, previous_revision=previous, time=time)


def _data_center_message(dc: DataCenter) -> v1.DataCenter:
    return v1.DataCenter(id=dc.id, ipv4_addr=dc.ipv4_addr, ipv6_addr=dc.ipv6_addr, auth=dc.auth)


def _data_center(message: v1.DataCenter) -> DataCenter:
    auth = message.auth or None
    return DataCenter(
        id=message.id,
        ipv4_addr=message.ipv4_addr if message.HasField("ipv4_addr") else None,
        ipv6_addr=message.ipv6_addr if message.HasField("ipv6_addr") else None,
        auth=auth,
        withheld=message.has_auth and auth is None,
    )


def _user_message(user: User) -> v1.User:
    return v1.User(id=user.id, dc=user.dc, bot=user.bot, username=user.username)


def _user(message: v1.User) -> User:
    return User(
        id=message.id,
        dc=message.dc,
        bot=message.bot if message.HasField("bot") else None,
        username=message.username if message.HasField("username") else None,
    )


def _state_message(state: UpdateState) -> v1.UpdateState:
    return v1.UpdateState(
        pts=state.pts,
        qts=state.qts,
        date=state.date,
        seq=state.seq,
        channels=[v1.ChannelState(id=channel.id, pts=channel.pts) for channel in state.channels],
    )


def _state(message: v1.UpdateState) -> UpdateState:
    return UpdateState(
        pts=message.pts,
        qts=message.qts,
        date=message.date,
        seq=message.seq,
        channels=[ChannelState(channel.id, channel.pts) for channel in message.channels],
    )


def _time(timestamp: Timestamp) -> datetime | None:
    """A time. One that Python's calendar cannot tell is left out."""
    try:
        return timestamp.ToDatetime(timezone.utc)
    except (ValueError, OverflowError):
        return None
