"""The chaos proxy before a server that says everything back, with clients that know nothing of it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import uvloop

from pennyworth.testing.chaos import (
    BlackHole,
    ChaosProxy,
    Corrupt,
    Cut,
    Delay,
    Fault,
    Faults,
    Rate,
    Refuse,
    Reset,
    Stall,
    Swallow,
)

DATA = bytes(range(256)) * 40


class Echo:
    """Says back what it hears. ``heard``: of each connection."""

    def __init__(self) -> None:
        self.port = 0
        self.heard: list[bytearray] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.heard.append(heard := bytearray())
        try:
            while data := await reader.read(65536):
                heard += data
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def behind(*script: Faults, then: Faults = (), **more: float) -> AsyncIterator[tuple[ChaosProxy, Echo]]:
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    echo.port = server.sockets[0].getsockname()[1]
    async with ChaosProxy("127.0.0.1", echo.port, script, then=then, **more) as proxy:  # type: ignore[arg-type]
        yield proxy, echo
    server.close()


async def said_back(proxy: ChaosProxy, data: bytes = DATA, within_s: float = 5.0) -> bytes:
    """What comes back, up to the end of the connection or as many bytes as were sent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(data)
    got = b""
    try:
        while len(got) < len(data) and (piece := await asyncio.wait_for(reader.read(65536), within_s)):
            got += piece
    finally:
        writer.close()
    return got


async def until(proxy: ChaosProxy, number: int) -> None:
    """Until so many connections have ended."""
    async with asyncio.timeout(5):
        while sum(bool(seen.ended) for seen in proxy.seen) < number:  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(0.005)


async def test_without_a_fault_everything_passes_and_both_ends_are_passed_on():
    async with behind() as (proxy, echo):
        assert await said_back(proxy) == DATA
        await until(proxy, 1)
        assert echo.heard == [DATA]
        assert (proxy.seen[0].up, proxy.seen[0].down, proxy.seen[0].ended) == (len(DATA), len(DATA), "closed")
        assert proxy.open_lines == 0


@pytest.mark.parametrize("at", [0, 1, 999])
async def test_a_cut_lets_through_exactly_so_much_and_then_ends_in_order(at: int):
    async with behind((Cut(at=at),), (Cut(at=at, way="up"),)) as (proxy, echo):
        assert await said_back(proxy) == DATA[:at]
        await said_back(proxy)
        await until(proxy, 2)
        assert [seen.ended for seen in proxy.seen] == ["cut", "cut"]
        assert bytes(echo.heard[1]) == DATA[:at]


async def test_a_reset_is_a_tcp_reset_after_exactly_so_much():
    async with behind((Reset(at=500),)) as (proxy, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(DATA)
        assert await reader.readexactly(500) == DATA[:500]
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        assert proxy.seen[0].ended == "reset"


async def test_a_refused_connection_is_reset_and_the_server_never_hears_of_it():
    async with behind((Refuse(),)) as (proxy, echo):
        with pytest.raises(ConnectionError):
            await said_back(proxy)
        assert (echo.heard, proxy.seen[0].ended) == ([], "refused")


@pytest.mark.parametrize("fault", [BlackHole(), Stall(at=0), Swallow(), Stall(at=0, way="up"), Swallow(way="up")])
async def test_nothing_comes_and_nothing_ends(fault: Fault):
    async with behind((fault,)) as (proxy, _):
        with pytest.raises(TimeoutError):
            await said_back(proxy, within_s=0.1)
        assert proxy.seen[0].down == 0
        if isinstance(fault, Stall | Swallow) and fault.way == "down":
            await until(proxy, 1)  # the client is gone, so the line is too; else the server must not learn of it


async def test_a_half_open_connection_hides_the_servers_end():
    async def farewell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(farewell, "127.0.0.1", 0)
    async with ChaosProxy(*server.sockets[0].getsockname(), [(Swallow(),)]) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(), 0.2)
        writer.close()
    server.close()


async def test_a_stall_is_over_when_its_time_is():
    async with behind((Stall(at=100, s=0.2),)) as (proxy, _):
        before = time.monotonic()
        assert await said_back(proxy) == DATA
        assert time.monotonic() - before >= 0.2


async def test_delay_and_rate_take_their_time():
    async with behind((Delay(s=0.2),), (Rate(bytes_per_s=20_000),)) as (proxy, _):
        for least_s in (0.2, 0.4):
            before = time.monotonic()
            assert await said_back(proxy) == DATA
            assert time.monotonic() - before >= least_s


async def test_corrupted_bytes_are_told():
    async with behind((Corrupt(share=0.01),)) as (proxy, _):
        back = await said_back(proxy)
        assert len(back) == len(DATA)
        changed = [place for place, (one, other) in enumerate(zip(back, DATA, strict=True)) if one != other]
        assert proxy.seen[0].corrupted == changed != []


async def test_the_script_comes_first_then_a_share_of_the_rest_by_the_seed():
    async with behind((), (Cut(at=1),), then=(Cut(at=2),), share=0.5, seed=4) as (proxy, _):
        lengths = [len(await said_back(proxy, b"abc")) for _ in range(40)]
        assert lengths[:2] == [3, 1]
        assert {2, 3} == set(lengths[2:])
    async with behind((), (Cut(at=1),), then=(Cut(at=2),), share=0.5, seed=4) as (proxy, _):
        assert [len(await said_back(proxy, b"abc")) for _ in range(40)] == lengths


async def test_all_connections_can_be_broken_and_the_next_is_well():
    async with behind() as (proxy, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"a")
        assert await reader.read(1) == b"a"
        proxy.break_all()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        assert await said_back(proxy) == DATA


async def test_nobody_listens_or_nobody_answers_and_then_all_is_well_again():
    async with behind() as (proxy, _):
        await proxy.door("refusing")
        with pytest.raises(ConnectionRefusedError):
            await said_back(proxy)
        if sys.platform == "linux":
            await proxy.door("unheard")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(asyncio.open_connection("127.0.0.1", proxy.port), 0.3)
        await proxy.door("open")
        assert await said_back(proxy) == DATA


async def test_without_a_server_behind_it_says_so():
    async with behind() as (proxy, _):
        pass
    async with ChaosProxy("127.0.0.1", proxy.port) as lonely:
        assert await said_back(lonely) == b""
        assert lonely.seen[0].ended == "no server"


def test_it_works_on_uvloop_too():
    async def reset() -> str:
        async with behind((Reset(at=500),)) as (proxy, _):
            with pytest.raises(ConnectionResetError):
                await said_back(proxy)
            return proxy.seen[0].ended

    assert uvloop.run(reset()) == "reset"


@contextmanager
def command(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    line = [sys.executable, "-m", "pennyworth.testing.chaos", *arguments]
    source = str(Path(__file__).parents[2] / "src")
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": source}) as started:
        try:
            yield started
        finally:
            started.terminate()


async def test_the_command_listens_and_tells_of_each_connection():
    async with behind() as (proxy, echo):
        with command("--to", f"127.0.0.1:{echo.port}", "--fault", "cut,at=7", "--seed", "1") as started:
            assert started.stdout is not None
            proxy.port = int((await asyncio.to_thread(started.stdout.readline)).partition(" ")[0].rpartition(":")[2])
            assert await said_back(proxy) == DATA[:7]
            told = json.loads(await asyncio.to_thread(started.stdout.readline))
    assert told["faults"] == [{"type": "cut", "at": 7, "way": "down"}]
    assert (told["ended"], told["down"]) == ("cut", 7)


def test_the_command_refuses_what_is_no_fault():
    done = subprocess.run(
        [sys.executable, "-m", "pennyworth.testing.chaos", "--to", "127.0.0.1:1", "--fault", "cuts"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "'cuts' is no fault; there are" in done.stderr
