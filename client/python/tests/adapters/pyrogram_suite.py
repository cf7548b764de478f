"""What holds of each Pyrogram fork on sessiond: its own client runs, and what it would ask Telegram is answered here."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import recipe
from daemon import PATIENCE, Daemon

import sessiond
from sessiond import ChannelState, DataCenter, Session, UpdateState, User, aio
from sessiond.adapters import LoggedOut, UnknownUser

KEY = bytes(range(256))
OTHER = bytes(reversed(range(256)))
ME = 868231286072
NEWS = -1_000_000_000_077
LOGGED_IN = Session(
    dcs=[
        DataCenter(id=2, ipv4_addr="149.154.167.41:443", auth=KEY),
        DataCenter(id=4, ipv4_addr="149.154.167.91:443", auth=OTHER),
    ],
    user=User(id=ME, dc=2, bot=True, username="alice_bot"),
    state=UpdateState(pts=10, qts=2, date=1700000000, seq=1, channels=[ChannelState(77, 500)]),
    home_dc=2,
)

#: What proves a rule: it is given the world it runs in.
Rule = Callable[["World"], Awaitable[None]]


class Fork:
    """A fork: its client, its modules, and its storage on sessiond."""

    def __init__(self, module: Any, storage: Any, argument: str, **options: Any) -> None:
        self.module = module
        self.storage = storage
        #: What its client is given besides.
        self.options = options
        #: The client's argument that takes a storage.
        self.argument = argument
        self.functions = module.raw.functions
        self.types = module.raw.types

    def user(self, id: int, **more: Any) -> Any:
        return self.types.User(id=id, access_hash=id + 1, restriction_reason=[], usernames=[], **more)


class World:
    """A daemon, Telegram, and clients."""

    def __init__(self, fork: Fork, daemon: Daemon, client: aio.Client, folder: Path) -> None:
        self.fork = fork
        self.daemon = daemon
        self.client = client
        self.folder = folder
        #: The keys that sessions with Telegram were opened with, the latest last.
        self.keys: list[bytes] = []
        self.open: list[Any] = []
        self.requests: list[str] = []
        self.made: list[bytes] = []
        state = fork.types.updates.State(pts=10, qts=2, date=1700000000, seq=1, unread_count=0)
        me = fork.user(ME, is_self=True, bot=True, first_name="Alice", username="alice_bot")
        self.answers: dict[Any, Any] = {
            fork.functions.updates.GetState: state,
            fork.functions.updates.GetDifference: fork.types.updates.DifferenceEmpty(date=1700000000, seq=1),
            fork.functions.updates.GetChannelDifference: fork.types.updates.ChannelDifferenceEmpty(
                pts=500, final=True
            ),
            fork.functions.auth.LogOut: True,
            fork.functions.auth.ImportBotAuthorization: fork.types.auth.Authorization(user=me),
        }

    def stand_in(self, monkeypatch: Any) -> None:
        """Telegram is this: keys are made and requests are answered without it."""
        world, session = self, self.fork.module.session

        async def create(_auth: Any) -> bytes:
            world.made.append(os.urandom(256))
            return world.made[-1]

        async def start(line: Any) -> None:
            world.keys.append(line.auth_key)
            world.open.append(line)

        async def stop(line: Any) -> None:
            if line in world.open:
                world.open.remove(line)

        async def invoke(_line: Any, query: Any, *_args: Any, **_options: Any) -> Any:
            world.requests.append(type(query).__name__)
            answer = world.answers[type(query)]
            if isinstance(answer, Exception):
                raise answer
            return answer

        async def get_me(_client: Any) -> Any:
            return SimpleNamespace(id=ME, is_bot=True)

        monkeypatch.setattr(session.Auth, "create", create)
        monkeypatch.setattr(self.fork.module.Client, "get_me", get_me)
        for method in (start, stop, invoke):
            monkeypatch.setattr(session.Session, method.__name__, method)

    def storage(self, **options: Any) -> Any:
        return self.fork.storage("alice", socket=self.daemon.socket, **options)

    def app(self, storage: Any) -> Any:
        given = {self.fork.argument: storage, "bot_token": "1:a", "workdir": str(self.folder)}
        given |= self.fork.options
        return storage.bind(self.fork.module.Client("alice", api_id=12345, api_hash="hash", **given))

    async def save(self, session: Session) -> None:
        async with self.client.hold("alice", wait=True) as hold:
            await hold.save(session)
            await hold.put_peers([sessiond.Peer(id=NEWS, access_hash=99)])

    async def stored(self) -> Session | None:
        """The session with its keys, once it is free."""
        async with self.client.hold("alice", wait=True, timeout=PATIENCE) as hold:
            return hold.session


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


class Suite:
    """The rules."""

    fork: Fork

    @pytest.fixture
    def run(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Rule], None]]:
        with Daemon(tmp_path) as daemon:

            def run(rule: Rule) -> None:
                async def in_a_world() -> None:
                    async with aio.connect(daemon.socket, label="test") as client:
                        world = World(self.fork, daemon, client, tmp_path)
                        world.stand_in(monkeypatch)
                        await asyncio.wait_for(rule(world), PATIENCE)

                asyncio.run(in_a_world())

            yield run

    def test_a_new_login_is_stored_when_it_is_known_whose_it_is(self, run: Callable[[Rule], None]) -> None:
        async def rule(world: World) -> None:
            app = world.app(world.storage())
            await app.connect()
            assert (await world.client.load("alice")).session is None
            await app.sign_in_bot("1:a")
            await app.disconnect()
            stored = await world.stored()
            assert stored is not None
            assert [dc.auth for dc in stored.dcs] == world.made == world.keys
            assert stored.user == User(id=ME, dc=2, bot=True)
            assert (stored.home_dc, stored.test_mode) == (2, False)
            async with world.client.hold("alice", wait=True) as hold:
                [api_id, created] = await hold.attributes(["api_id", "created"])
                assert api_id.value == (12345).to_bytes(8, "little")
                assert abs(int.from_bytes(created.value or b"", "little") - time.time()) < PATIENCE

        run(rule)

    def test_a_restarted_program_goes_on_and_keeps_the_other_keys(self, run: Callable[[Rule], None]) -> None:
        async def rule(world: World) -> None:
            await world.save(LOGGED_IN)
            for _ in range(2):
                app = world.app(world.storage())
                await app.start()
                assert world.keys[-1] == KEY
                assert world.made == []
                assert "ImportBotAuthorization" not in world.requests
                assert await app.storage.test_mode() is False
                assert await app.storage.api_id() == 12345
                assert len(await app.export_session_string()) == 362
                await app.stop()
                assert world.open == []
            stored = await world.stored()
            assert stored is not None
            assert (stored.dcs, stored.user, stored.state) == (LOGGED_IN.dcs, LOGGED_IN.user, LOGGED_IN.state)

        run(rule)

    def test_a_login_that_moves_to_another_data_center_is_one_write(
        self, run: Callable[[Rule], None]
    ) -> None:
        async def rule(world: World) -> None:
            storage = world.storage()
            await storage.open()
            await storage.dc_id(2)
            await storage.test_mode(False)
            await storage.auth_key(KEY)
            await storage.user_id(None)
            await storage.is_bot(None)
            await storage.dc_id(4)
            assert await storage.auth_key() is None
            await storage.auth_key(OTHER)
            await storage.user_id(5)
            assert (await world.client.load("alice")).revision == 0
            await storage.is_bot(False)
            await storage.save()
            loaded = await world.client.load("alice")
            assert loaded.session is not None
            assert (loaded.session.home_dc, [dc.id for dc in loaded.session.dcs]) == (4, [4])
            await storage.close()

        run(rule)

    def test_a_key_of_nobody_known_is_not_written_over(self, run: Callable[[Rule], None]) -> None:
        async def rule(world: World) -> None:
            for user in (None, User(id=ME, dc=2)):
                unknown = Session(dcs=LOGGED_IN.dcs, user=user, home_dc=2)
                await world.save(unknown)
                with pytest.raises(UnknownUser, match="sessiond set-user alice"):
                    await world.app(world.storage()).start()
                assert await world.stored() == unknown
            assert world.made == []

        run(rule)

    def test_peers_are_found_at_once_and_by_the_next_program(self, run: Callable[[Rule], None]) -> None:
        async def rule(world: World) -> None:
            await world.save(LOGGED_IN)
            types = world.fork.types
            anna = types.InputPeerUser(user_id=5, access_hash=6)
            news = types.InputPeerChannel(channel_id=77, access_hash=99)
            for met in (True, False):
                app = world.app(world.storage())
                await app.start()
                if met:
                    await app.fetch_peers(
                        [
                            world.fork.user(5, username="AnnaB", phone="34600123456"),
                            types.Chat(
                                id=8, title="", photo=None, participants_count=2, date=0, version=1
                            ),
                            types.Channel(
                                id=77, title="", photo=None, date=0, access_hash=99, broadcast=True,
                                usernames=[types.Username(username="News"), types.Username(username="Olds")],
                            ),
                        ]
                    )  # fmt: skip
                assert await app.resolve_peer(5) == anna
                assert await app.resolve_peer("@AnnaB") == anna
                assert await app.resolve_peer("+34 600123456") == anna
                assert await app.resolve_peer(NEWS) == news
                assert await app.resolve_peer("news") == news
                assert await app.resolve_peer(-8) == types.InputPeerChat(chat_id=8)
                for lookup, key in (
                    (app.storage.get_peer_by_id, 6),
                    (app.storage.get_peer_by_username, "nobody"),
                    (app.storage.get_peer_by_phone_number, "1555"),
                ):
                    with pytest.raises(KeyError):
                        await lookup(key)
                await app.stop()

        run(rule)

    def test_a_username_that_was_not_met_lately_is_asked_for_again(self, run: Callable[[Rule], None]) -> None:
        async def rule(world: World) -> None:
            async with world.client.hold("alice") as hold:
                await hold.save(LOGGED_IN)
                met = int(time.time()) - 9 * 3600
                await hold.put_peers([sessiond.Peer(id=5, access_hash=6, usernames=["anna"], seen=met)])
            storage = world.storage()
            await storage.open()
            with pytest.raises(KeyError, match="too long ago"):
                await storage.get_peer_by_username("anna")
            assert await storage.get_peer_by_id(5)
            await storage.close()

        run(rule)

    def test_who_comes_second_waits_or_is_refused(self, run: Callable[[Rule], None]) -> None:
        async def rule(world: World) -> None:
            await world.save(LOGGED_IN)
            first = world.app(world.storage(label="worker 1"))
            await first.start()
            refused = world.app(world.storage(wait=False))
            with pytest.raises(sessiond.HeldByAnother, match="worker 1"):
                await refused.start()
            second = world.app(world.storage())
            waiting = asyncio.create_task(second.start())
            await asyncio.sleep(0.1)
            assert not waiting.done()
            assert len(world.open) == 1
            await first.stop()
            await waiting
            assert len(world.open) == 1
            await second.stop()
            assert await world.stored() is not None
            await refused.start()
            await refused.stop()

        run(rule)

    def test_a_lost_hold_stops_the_client(self, run: Callable[[Rule], None]) -> None:
        async def rule(world: World) -> None:
            await world.save(LOGGED_IN)
            told: list[sessiond.LostReason] = []
            app = world.app(world.storage(on_lost=told.append))
            await app.start()
            await world.client.end_hold("alice")
            await until(lambda: not world.open and not app.is_connected)
            assert len(told) == 1
            assert await world.stored() == LOGGED_IN

        run(rule)

    def test_a_lost_hold_is_told_by_the_next_write(self, run: Callable[[Rule], None]) -> None:
        async def rule(world: World) -> None:
            await world.save(LOGGED_IN)
            storage = world.storage()
            await storage.open()
            await world.client.end_hold("alice")
            await until(lambda: storage._tenure.hold.lost)
            with pytest.raises(sessiond.Lost):
                await storage.update_peers([(5, 6, "user", None)])
            with pytest.raises(sessiond.Lost):
                await storage.get_peer_by_id(5)
            await storage.save()
            await storage.close()
            assert await world.stored() == LOGGED_IN

        run(rule)

    def test_the_daemon_may_restart_in_mid_use(self, run: Callable[[Rule], None]) -> None:
        async def rule(world: World) -> None:
            await world.save(LOGGED_IN)
            app = world.app(world.storage())
            await app.start()
            world.daemon.kill()
            began = time.monotonic()
            await app.fetch_peers([world.fork.user(5, username="AnnaB")])
            assert (await app.resolve_peer(5)).access_hash == 6
            assert time.monotonic() - began < 1
            world.daemon.start()
            await app.stop()
            async with world.client.hold("alice", wait=True) as hold:
                [anna] = await hold.peers([sessiond.PeerKey(username="annab")])
                assert anna is not None
                assert anna.access_hash == 6

        run(rule)

    def test_to_log_out_deletes_the_session_before_the_next_has_it(self, run: Callable[[Rule], None]) -> None:
        async def rule(world: World) -> None:
            await world.save(LOGGED_IN)
            app = world.app(world.storage())
            await app.start()
            waiting = asyncio.create_task(world.app(world.storage()).start())
            await asyncio.sleep(0.1)
            assert await app.log_out()
            with pytest.raises(LoggedOut, match="alice"):
                await waiting
            assert await world.stored() is None

        run(rule)

    def test_a_session_is_let_go_when_the_event_loop_ends(self, run: Callable[[Rule], None]) -> None:
        async def program(world: World) -> None:
            await world.save(LOGGED_IN)
            storage = world.storage()
            await storage.open()
            await storage.close()

        async def next_in_line(world: World) -> None:
            # Nothing has to be waited for.
            async with world.client.hold("alice"):
                pass

        run(program)
        run(next_in_line)

    def test_the_recipe_runs(
        self,
        run: Callable[[Rule], None],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        async def logged_in(world: World) -> None:
            await world.save(LOGGED_IN)

        run(logged_in)
        monkeypatch.setenv("SESSIOND_SOCKET", str(tmp_path / "s.sock"))
        monkeypatch.chdir(tmp_path)
        recipe.run(type(self).__name__.removeprefix("Test"))
        assert capsys.readouterr().out == f"logged in as {ME}\n"

    def test_the_library_may_open_again_what_is_open(self, run: Callable[[Rule], None]) -> None:
        async def rule(world: World) -> None:
            await world.save(LOGGED_IN)
            storage = world.storage()
            await storage.open()
            await storage.open()
            await storage.close()
            await storage.open()
            await storage.close()
            await storage.delete()
            assert await world.stored() is None

        run(rule)
