"""No repr, log or error has a key, a token, an access hash, a phone number or a peer's name."""

from __future__ import annotations

import asyncio
import logging
import pickle
import traceback
from base64 import b64encode
from collections.abc import Callable

import pytest
from daemon import Daemon

import sessiond
from sessiond import Attribute, DataCenter, Peer, PeerKey, Session, StateChange, User, aio

#: As random as a key, and without a byte that `repr` would write otherwise.
KEY = bytes(range(48, 112)) * 4
HASH = 7316498254691738211
PHONE = "491512345678"
NAME = "Anna Unmistakable"
PEER = Peer(id=5, access_hash=HASH, usernames=[NAME], phone=PHONE, name=NAME, extra={"lib.x": KEY})
SESSION = Session(dcs=[DataCenter(id=2, auth=KEY)], user=User(id=5, dc=2))
ATTRIBUTE = Attribute("lib.key", KEY, secret=True)
KEYS = [PeerKey(username=NAME), PeerKey(phone=PHONE), PeerKey(peer_name=NAME)]


def assert_silent(text: str, token: sessiond.Token) -> None:
    """No secret is in the text, in any form that it might have there."""
    assert text
    for secret in (KEY[:16], token.expose()):
        forms = (repr(secret)[2:-1], secret.hex(), b64encode(secret).decode()[:20], str(list(secret))[1:-1])
        assert not any(form in text for form in forms), text
    assert not any(secret in text for secret in (str(HASH), PHONE, NAME)), text


def every_error(error: BaseException) -> str:
    """An error as a crash reporter shows it, with the local variables of all frames."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(shown.format()) + repr(error) + str(error) + repr(vars(error))


def ours(error: BaseException) -> BaseException:
    """The error without the frames of this file, whose variables are the program's own business."""
    while error.__traceback__ is not None and error.__traceback__.tb_frame.f_code.co_filename == __file__:
        error.__traceback__ = error.__traceback__.tb_next
    return error


def test_nothing_that_is_shown_has_a_secret(
    client: sessiond.Client, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with client.hold("alice") as hold, client.watch() as watch:
        hold.save(SESSION)
        hold.put_peers([PEER])
        hold.put_attributes([ATTRIBUTE])
        events = [next(watch) for _ in range(3)]
        stream = hold.advance_stream()
        shown = [
            client, hold, hold.token, hold.load(), hold.session, client.load("alice"), events, watch, stream,
            hold.peers(KEYS), list(hold.list_peers()), list(hold.list_attributes()), KEYS, SESSION, PEER, ATTRIBUTE,
            hold._connection, hold._requests, hold._requests.save(SESSION, None, None), hold._standing,
        ]  # fmt: skip
        assert_silent("".join(f"{thing!r} {thing!s}" for thing in shown), hold.token)
        for thing in (client, hold, watch, stream):
            with pytest.raises(TypeError):
                pickle.dumps(thing)
        stream.close()
    captured = capfd.readouterr()
    assert_silent("log: " + caplog.text + captured.out + captured.err, hold.token)


def test_no_error_has_a_secret_nor_what_a_crash_reporter_shows_of_it(
    client: sessiond.Client, daemon: Daemon
) -> None:
    hold = client.hold("alice")
    withheld = Session(dcs=[DataCenter(id=2, auth=KEY), DataCenter(id=3, withheld=True)])
    calls: list[Callable[[], object]] = [
        lambda: hold.save(SESSION, expected_revision=77),
        lambda: hold.save(withheld),
        lambda: hold.save(Session(dcs=[DataCenter(id=2, auth=KEY[:9])])),
        lambda: hold.save(Session(dcs=[DataCenter(id=2**40, auth=KEY)])),
        lambda: hold.put_peers([Peer(id=5, access_hash=HASH, phone="+" + PHONE, name=NAME)]),
        lambda: hold.put_peers([Peer(id=2**70, access_hash=HASH, phone=PHONE, name=NAME)]),
        lambda: hold.put_attributes([Attribute("lib.ä", KEY)]),
        lambda: hold.advance_stream().durable(hold.advance_stream().push(StateChange(pts=2**40))),
        lambda: client.held("alice", sessiond.Token(bytes(range(32)))).save(SESSION),
    ]
    for call in calls:
        with pytest.raises((sessiond.Error, ValueError)) as refused:
            call()
        assert_silent(every_error(ours(refused.value)), hold.token)
    client.end_hold("alice")
    daemon.kill()
    with pytest.raises(sessiond.Error) as away:
        client.held("alice", hold.token).save(SESSION, deadline=0.2)
    assert_silent(every_error(ours(away.value)), hold.token)


def test_no_error_of_asyncio_has_a_secret_either(daemon: Daemon) -> None:
    async def test() -> None:
        async with aio.connect(daemon.socket) as client:
            hold = await client.hold("alice")
            for call in (
                lambda: hold.save(SESSION, expected_revision=77),
                lambda: hold.put_peers([Peer(id=2**70, access_hash=HASH, phone=PHONE, name=NAME)]),
                lambda: hold.put_attributes([Attribute("lib.ä", KEY)]),
                lambda: client.held("alice", sessiond.Token(bytes(range(32)))).save(SESSION),
            ):
                with pytest.raises(sessiond.Error) as refused:
                    await call()
                assert_silent(every_error(ours(refused.value)), hold.token)
            assert_silent(f"{hold} {hold.session} {client} {client.hold('bob')!r}", hold.token)
            daemon.kill()
            with pytest.raises(sessiond.Unavailable) as away:
                await hold.save(SESSION, deadline=0.2)
            assert_silent(every_error(ours(away.value)), hold.token)

    asyncio.run(test())


def test_this_test_would_find_a_secret(client: sessiond.Client) -> None:
    with client.hold("alice") as hold:
        for leak in (
            repr(KEY),
            KEY.hex(),
            f"{HASH}",
            NAME,
            hold.token.expose_hex(),
            repr(hold.token.expose()),
        ):
            with pytest.raises(AssertionError):
                assert_silent(leak, hold.token)
