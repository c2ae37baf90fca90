"""Turns of the engine's loop: one at a time, for the loop and for whoever takes them, and nobody is left waiting."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from pennyworth.transport.turns import TurnLoop


@pytest.fixture
def loop() -> Iterator[TurnLoop]:
    """Running, in a thread of its own."""
    made = TurnLoop()
    thread = threading.Thread(target=made.run_forever, daemon=True)
    thread.start()
    yield made
    made.call_soon_threadsafe(made.stop)
    thread.join(10.0)
    assert not thread.is_alive()
    made.close()


@pytest.fixture
def _switching() -> Iterator[None]:
    """Threads change places as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class Account:
    """What only one may touch at a time."""

    def __init__(self) -> None:
        self.balance = 0

    def pay_in(self) -> None:
        seen = self.balance
        time.sleep(0)  # everybody else has his chance
        self.balance = seen + 1


@pytest.mark.usefixtures("_switching")
def test_turns_of_many_threads_and_of_the_loop_never_overlap(loop: TurnLoop):
    account, each = Account(), 300

    async def pay() -> None:
        for _ in range(each):
            account.pay_in()
            await asyncio.sleep(0)

    def take() -> None:
        for _ in range(each):
            loop.take(account.pay_in)

    threads = [threading.Thread(target=take) for _ in range(6)]
    inside = [asyncio.run_coroutine_threadsafe(pay(), loop) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for future in inside:
        future.result(30.0)
    assert account.balance == each * (len(threads) + len(inside))


def test_a_loop_that_never_rests_lets_callers_in(loop: TurnLoop):
    turns, begun = 0, threading.Event()

    def again() -> None:
        nonlocal turns
        turns += 1
        begun.set()
        if turns >= 0:
            loop.call_soon(again)

    def end() -> int:
        nonlocal turns
        found, turns = turns, -(10**9)
        return found

    loop.call_soon_threadsafe(again)
    assert begun.wait(10.0)
    for _ in range(50):
        loop.take(lambda: None)
    assert loop.take(end) > 0


def test_callers_who_never_rest_let_the_loop_in(loop: TurnLoop):
    over = threading.Event()

    def hammer() -> None:
        while not over.is_set():
            loop.take(lambda: None)

    async def steps() -> int:
        for _ in range(200):
            await asyncio.sleep(0)
        return 200

    threads = [threading.Thread(target=hammer) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        assert asyncio.run_coroutine_threadsafe(steps(), loop).result(60.0) == 200
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_what_is_scheduled_in_a_turn_wakes_the_sleeping_loop(loop: TurnLoop):
    soon, later, done = threading.Event(), threading.Event(), threading.Event()

    def schedule() -> None:
        here = asyncio.get_running_loop()
        here.call_soon(soon.set)
        here.call_later(0.01, later.set)
        future = here.create_future()
        future.add_done_callback(lambda _: done.set())
        future.set_result(None)

    loop.take(schedule)
    assert soon.wait(10.0)
    assert done.wait(10.0)
    assert later.wait(10.0)


def test_a_task_begun_in_a_turn_runs_in_the_loop_and_knows_nothing_of_its_caller(loop: TurnLoop):
    whose = contextvars.ContextVar("whose", default="nobody's")
    whose.set("a caller's")
    seen: list[tuple[str, int]] = []
    over = threading.Event()

    async def work() -> None:
        seen.append((whose.get(), threading.get_ident()))
        over.set()

    task = loop.take(lambda: asyncio.get_running_loop().create_task(work()))
    assert over.wait(10.0)
    assert seen[0][0] == "nobody's"
    assert seen[0][1] != threading.get_ident()
    assert task is not None


def test_what_fails_in_a_turn_fails_its_caller_alone(loop: TurnLoop):
    with pytest.raises(ZeroDivisionError):
        loop.take(lambda: 1 // 0)
    assert loop.take(lambda: 7) == 7
    assert asyncio.run_coroutine_threadsafe(asyncio.sleep(0, 8), loop).result(10.0) == 8


def test_a_turn_within_a_turn_is_an_error_and_no_deadlock(loop: TurnLoop):
    def once_more() -> None:
        loop.take(lambda: None)

    with pytest.raises(RuntimeError, match="from within its own work"):
        loop.take(once_more)
    assert loop.take(lambda: 7) == 7


async def test_a_turn_taken_in_a_coroutine_leaves_its_own_loop_in_place(loop: TurnLoop):
    mine = asyncio.get_running_loop()
    assert loop.take(asyncio.get_running_loop) is loop
    assert asyncio.get_running_loop() is mine
    await asyncio.sleep(0)
