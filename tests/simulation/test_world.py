"""The simulated world keeps the promises that asyncio and TCP make, and makes no others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pennyworth.simulation.clock import SimulatedClock
from pennyworth.simulation.loop import NotSimulatedError, StuckError, VirtualLoop
from pennyworth.simulation.network import Address, Network
from pennyworth.simulation.process import Process
from pennyworth.simulation.weather import Fate, Weather
from pennyworth.simulation.wire import End

Test = Callable[[Network, VirtualLoop], Coroutine[Any, Any, Any]]


def simulated(test: Test) -> Any:
    network = Network()
    loop = VirtualLoop(network)
    asyncio.set_event_loop(loop)
    try:
        return loop.run_until_complete(test(network, loop))
    finally:
        asyncio.set_event_loop(None)
        loop.close()


class Fixed(Weather):
    """Every wire has this fate."""

    def __init__(self, fate: Fate) -> None:
        super().__init__(Random(0), 0.0, 0.0)
        self._fate = fate

    def fate(self) -> Fate:
        return self._fate


class Notes(asyncio.Protocol):
    """Writes down what happens to it."""

    def __init__(self, half: bool = False) -> None:
        self.heard: list[bytes] = []
        self.said: list[str] = []
        self.end: End
        self._half = half

    def connection_made(self, transport: Any) -> None:
        self.end = transport

    def data_received(self, data: bytes) -> None:
        self.heard.append(data)

    def eof_received(self) -> bool:
        self.said.append("eof")
        return self._half

    def connection_lost(self, exc: Exception | None) -> None:
        self.said.append("reset" if exc else "lost")

    def pause_writing(self) -> None:
        self.said.append("full")

    def resume_writing(self) -> None:
        self.said.append("room")


async def joined(network: Network, fate: Fate, half: bool = False) -> tuple[Notes, Notes]:
    """Two protocols, and a wire between them."""
    far = Notes(half)
    network.listen(Address("far"), lambda: far)
    near = Notes()
    await network.connect("far", near, Fixed(fate))
    await asyncio.sleep(1.0)
    return near, far


def test_a_year_takes_no_time() -> None:
    async def sleeps(_: Network, loop: VirtualLoop) -> float:
        before = loop.time()
        await asyncio.sleep(365 * 86400)
        return loop.time() - before

    began = time.monotonic()
    assert simulated(sleeps) == 365 * 86400
    assert time.monotonic() - began < 60


def test_timers_of_one_moment_run_in_the_order_in_which_they_were_set() -> None:
    async def sets(_: Network, loop: VirtualLoop) -> list[int]:
        ran: list[int] = []
        for i in range(50):
            loop.call_later(1.0, ran.append, i)
        await asyncio.sleep(2.0)
        return ran

    assert simulated(sets) == list(range(50))


def test_whoever_waits_for_nobody_is_told() -> None:
    async def waits(_: Network, loop: VirtualLoop) -> None:
        await loop.create_future()

    with pytest.raises(StuckError):
        simulated(waits)


@pytest.mark.parametrize("what", ["thread", "names", "socket", "signal"])
def test_the_real_world_is_refused(what: str) -> None:
    async def asks(_: Network, loop: VirtualLoop) -> None:
        match what:
            case "thread":
                loop.call_soon_threadsafe(print)
            case "names":
                await loop.getaddrinfo("localhost", 80)
            case "socket":
                await asyncio.open_connection("127.0.0.1", 80)
            case "signal":
                loop.add_signal_handler(15, print)

    with pytest.raises(NotSimulatedError):
        simulated(asks)


fates = st.builds(
    Fate,
    latency_s=st.sampled_from([0.0, 0.01]),
    jitter_s=st.sampled_from([0.0, 0.5]),
    pieces=st.integers(1, 6),
    window=st.sampled_from([0, 10, 1 << 16]),
    breaks_at=st.just(-1),
    stalls_at=st.sampled_from([-1, 0, 5]),
    stall_s=st.sampled_from([0.0, 20.0]),
)


@settings(max_examples=60, deadline=None)
@given(fate=fates, writes=st.lists(st.binary(max_size=60), max_size=12))
def test_what_was_written_before_an_orderly_end_arrives_whole_and_in_order(fate: Fate, writes: list[bytes]) -> None:
    async def talks(network: Network, _: VirtualLoop) -> tuple[Notes, Notes]:
        near, far = await joined(network, fate)
        for data in writes:
            near.end.write(data)
        near.end.close()
        near.end.write(b"too late")
        await asyncio.sleep(100.0)
        return near, far

    near, far = simulated(talks)
    assert b"".join(far.heard) == b"".join(writes)
    assert far.said == ["eof", "lost"]
    assert near.said == ["lost"]


@settings(max_examples=40, deadline=None)
@given(fate=fates, at=st.integers(0, 40))
def test_a_wire_that_breaks_gives_no_byte_beyond_the_break_and_tells_both_sides(fate: Fate, at: int) -> None:
    async def talks(network: Network, _: VirtualLoop) -> tuple[Notes, Notes]:
        near, far = await joined(network, fate._replace(breaks_at=at))
        near.end.write(b"x" * 20)
        near.end.write(b"y" * 21)
        await asyncio.sleep(100.0)
        return near, far

    near, far = simulated(talks)
    whole = b"x" * 20 + b"y" * 21
    assert whole[:at].startswith(b"".join(far.heard))
    assert (near.said, far.said) == (["reset"], ["reset"])


def test_a_reader_who_does_not_read_makes_the_writer_wait() -> None:
    async def talks(network: Network, _: VirtualLoop) -> list[list[str]]:
        near, far = await joined(network, Fate(window=10))
        near.end.set_write_buffer_limits(high=100)
        far.end.pause_reading()
        near.end.write(b"x" * 200)
        await asyncio.sleep(1.0)
        before = list(near.said)
        far.end.resume_reading()
        await asyncio.sleep(1.0)
        return [before, near.said, [str(len(b"".join(far.heard)))]]

    assert simulated(talks) == [["full"], ["full", "room"], ["200"]]


def test_one_direction_may_end_before_the_other() -> None:
    async def talks(network: Network, _: VirtualLoop) -> tuple[Notes, Notes]:
        near, far = await joined(network, Fate(), half=True)
        near.end.write_eof()
        await asyncio.sleep(1.0)
        far.end.write(b"still here")
        far.end.close()
        await asyncio.sleep(1.0)
        return near, far

    near, far = simulated(talks)
    assert near.heard == [b"still here"]
    assert far.said == ["eof", "lost"]


def test_who_writes_to_somebody_gone_is_reset() -> None:
    async def talks(network: Network, _: VirtualLoop) -> Notes:
        near, far = await joined(network, Fate(latency_s=0.01))
        near.end.write(b"are you there?")
        far.end.abort()
        await asyncio.sleep(1.0)
        return near

    assert simulated(talks).said[-1] in ("reset", "lost")


@pytest.mark.parametrize("goes", ["abort", "close", "killed"])
def test_who_goes_without_having_read_resets_the_writer(goes: str) -> None:
    async def talks(network: Network, _: VirtualLoop) -> tuple[list[str], int]:
        near, reader, process = Notes(), Notes(), Process("reader")
        process.context.run(network.listen, Address("far"), lambda: reader)
        await network.connect("far", near, Fixed(Fate(window=10)))
        await asyncio.sleep(1.0)
        reader.end.pause_reading()
        near.end.write(b"x" * 200)
        near.end.close()
        await asyncio.sleep(1.0)
        assert near.said == []
        process.kill() if goes == "killed" else getattr(reader.end, goes)()
        await asyncio.sleep(1.0)
        assert reader.heard == []
        return near.said, len(network.open_ends(None))

    said, still_open = simulated(talks)
    assert said[-1] in ("reset", "lost")
    assert still_open == 0


def test_nothing_of_a_killed_process_runs_again_and_its_peers_hear_of_it() -> None:
    async def kills(network: Network, loop: VirtualLoop) -> tuple[list[str], list[str], int]:
        done: list[str] = []

        async def lives() -> None:
            await loop.create_server(Notes, sock=Address("mortal"))
            loop.call_later(5.0, done.append, "timer")
            try:
                await asyncio.sleep(10.0)
            finally:
                done.append("finally")

        process = Process("mortal")
        process.spawn(lives())
        await asyncio.sleep(1.0)
        near = Notes()
        await network.connect("mortal", near, Fixed(Fate()))
        await asyncio.sleep(1.0)
        process.kill()
        near.end.write(b"anybody?")
        await asyncio.sleep(100.0)
        with pytest.raises(ConnectionRefusedError):
            await network.connect("mortal", Notes(), Fixed(Fate()))
        before = list(done)
        process.bury()
        return before, near.said, len(network.open_ends(None))

    done, said, still_open = simulated(kills)
    assert done == []
    assert said[-1] in ("reset", "lost")
    assert still_open == 0


def test_a_process_dies_after_as_many_steps_as_it_was_given() -> None:
    async def kills(_: Network, loop: VirtualLoop) -> int:
        steps: list[int] = []

        async def counts() -> None:
            while True:
                steps.append(1)
                await asyncio.sleep(0)

        process = Process("short", steps_left=7)
        process.spawn(counts())
        await asyncio.sleep(1.0)
        process.bury()
        return len(steps)

    assert simulated(kills) == 7


def test_the_clock_may_be_set_and_never_runs_backwards() -> None:
    async def sets(_: Network, loop: VirtualLoop) -> list[float]:
        clock = SimulatedClock(loop)
        first = clock.wall_s()
        clock.set_by(-100.0)
        await asyncio.sleep(40.0)
        still = clock.wall_s()
        await asyncio.sleep(100.0)
        later = clock.wall_s()
        clock.set_by(3600.0)
        return [still - first, later - first, clock.wall_s() - later, clock.mono_ns() / 1e9 - loop.time()]

    assert simulated(sets) == pytest.approx([0.0, 40.0, 3600.0, 0.0])


def test_work_for_a_thread_is_done_in_a_turn_of_its_own() -> None:
    async def asks(_: Network, loop: VirtualLoop) -> None:
        turns: list[str] = []
        waiting = asyncio.ensure_future(asyncio.to_thread(turns.append, "work"))
        assert turns == []
        await waiting
        assert turns == ["work"]
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)

    simulated(asks)
