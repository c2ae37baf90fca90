"""The end of a library while others use it: everybody gets an answer or an error, and nobody waits for ever."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pennyworth import Pennyworth
from pennyworth.errors import PennyworthError
from pennyworth.sandbox import SandboxServer
from tests.door.running import plan_for


def question(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], **more}


@pytest.fixture(scope="module")
def sandbox() -> Any:
    with SandboxServer() as server:
        yield server


@pytest.mark.parametrize("lap", range(6))
def test_whoever_asks_while_it_is_closed_gets_an_answer_or_is_told(sandbox: SandboxServer, lap: int):
    pw = Pennyworth(plan_for(sandbox.base_url))
    begun = threading.Barrier(7)
    wrong: list[BaseException] = []

    def ask(number: int) -> int:
        client = pw.http_client(timeout=None)
        begun.wait()
        for n in range(10_000):
            try:
                if number == 0:
                    pw.stats()
                    continue
                reply = client.post(
                    "http://x/v1/chat/completions", json=question(f"{number} {n % 7}", stream=n % 2 == 0)
                )
                if reply.status_code not in (200, 502, 503):
                    wrong.append(AssertionError(reply.text))
            except PennyworthError:
                return n
            except BaseException as error:
                wrong.append(error)
                return n
        return -1

    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(ask, number) for number in range(6)]
        begun.wait()
        time.sleep(0.05 * lap)
        pw.close()
        counts = [each.result(timeout=30) for each in asked]
    assert not wrong, wrong
    assert min(counts) >= 0


def test_a_request_that_found_its_engine_just_before_it_was_closed_is_told(
    sandbox: SandboxServer, caplog: pytest.LogCaptureFixture, tmp_path: Path
):
    """The moment between the finding and the asking, which a thread can be held up in."""
    pw = Pennyworth(plan_for(sandbox.base_url, state_dir=str(tmp_path)))
    client = pw.http_client(timeout=None)
    assert client.post("http://x/v1/chat/completions", json=question("kept")).status_code == 200
    house = pw._at_home()
    pw.close()
    pw._house, pw._closed = house, False
    for asked in (question("kept"), question("new"), question("new", stream=True)):
        reply = client.post("http://x/v1/chat/completions", json=asked)
        assert reply.status_code == 503
    with pytest.raises(PennyworthError, match="closed"):
        pw.stats()
    assert caplog.text == ""  # nothing was written to books that are closed


CHILD = """
import asyncio, gc, os, signal, sys, threading, time
from pennyworth import Pennyworth
from tests.door.running import plan_for
pw = Pennyworth(plan_for(sys.argv[1]))
client = pw.http_client(timeout=None)
def question(text, **more):
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}], **more}
def ask(text, **more):
    return client.post("http://x/v1/chat/completions", json=question(text, **more))
"""


def run(code: str, sandbox: SandboxServer, **more: Any) -> subprocess.CompletedProcess[str]:
    text = CHILD + textwrap.dedent(code)
    return subprocess.run(
        [sys.executable, "-c", text, sandbox.base_url], capture_output=True, text=True, timeout=120, check=False, **more
    )


def test_exceptions_that_a_signal_raises_anywhere_leave_the_engine_in_use(sandbox: SandboxServer):
    """As soft time limits of job queues do: in the middle of whatever the main thread is doing."""
    done = run(
        """
        import random
        class Late(Exception): pass
        def late(*_):
            raise Late
        signal.signal(signal.SIGALRM, late)
        chance, hit, late_ones = random.Random(1), 0, 0
        end = time.monotonic() + 4
        n = 0
        while time.monotonic() < end:
            n += 1
            try:
                signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.00001, 0.002))
                for m in range(1000):
                    ask(f"kept {n % 5}" if m % 4 else f"new {n} {m}", stream=m % 3 == 0)
                    hit += 1
                    if m % 8 == 7:
                        pw.stats()
            except Late:
                late_ones += 1
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        other = threading.Thread(target=lambda: print("other", ask("kept 1").status_code, flush=True), daemon=True)
        other.start(); other.join(30)
        end = time.monotonic() + 20
        while pw._house.runtime.engine.flights and time.monotonic() < end:
            gc.collect()  # whoever forgot a reply has left when it is collected
            time.sleep(0.01)
        print("flights", len(pw._house.runtime.engine.flights), "laps", n, hit, late_ones, flush=True)
        pw.close()
        print("closed", flush=True)
        """,
        sandbox,
    )
    print(done.stdout, done.stderr[-3000:])
    assert "other 200" in done.stdout
    assert "flights 0" in done.stdout
    assert "closed" in done.stdout


def test_a_signal_handler_may_close_it_or_ask_whatever_was_under_way(sandbox: SandboxServer):
    done = run(
        """
        told = []
        def handler(*_):
            try:
                told.append(ask("kept 1").status_code)
            except RuntimeError as error:
                told.append("within")
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        end = time.monotonic() + 3
        others = [threading.Thread(target=lambda: [ask(f"new {n}") for n in range(1000)], daemon=True) for _ in range(2)]
        for each in others: each.start()
        n = 0
        while time.monotonic() < end:
            n += 1
            assert ask(f"kept {n % 3}").status_code == 200
        signal.setitimer(signal.ITIMER_REAL, 0)
        print("laps", n, {each: told.count(each) for each in set(told)}, flush=True)
        pw.close()
        print("closed", flush=True)
        """,
        sandbox,
    )
    print(done.stdout, done.stderr[-3000:])
    assert "closed" in done.stdout


def test_a_signal_handler_that_closes_it_ends_the_program(sandbox: SandboxServer):
    done = run(
        """
        def handler(*_):
            pw.close()
            print("closed", flush=True)
            sys.exit(0)
        for lap in range(int(30)):
            pid = os.fork()
            if not pid:
                signal.signal(signal.SIGALRM, handler)
                ask("kept 1")
                signal.setitimer(signal.ITIMER_REAL, 0.01 + lap * 0.00037)
                while True:
                    ask("kept 1")
            end = time.monotonic() + 10
            while time.monotonic() < end and not (gone := os.waitpid(pid, os.WNOHANG))[0]:
                time.sleep(0.005)
            if not gone[0]:
                os.kill(pid, signal.SIGKILL); os.waitpid(pid, 0)
                print("HUNG", flush=True)
        pw.close()
        """,
        sandbox,
    )
    print(done.stdout[-300:], done.stderr[-3000:])
    assert "HUNG" not in done.stdout
    assert done.stdout.count("closed") == 30


@pytest.mark.parametrize("left", ["nothing", "a stream", "a thread", "a task", "daemon threads"])
def test_the_interpreter_ends_whatever_is_left_open(sandbox: SandboxServer, left: str):
    done = run(
        f"""
        left = {left!r}
        ask("kept 1")
        if left == "a stream":
            stream = client.stream("POST", "http://x/v1/chat/completions", json=question("a stream", stream=True))
            opened = stream.__enter__()
            first = next(opened.iter_raw())
        elif left == "a thread":
            threading.Thread(target=lambda: [ask(f"in thread {{n}}") for n in range(20)]).start()
        elif left == "daemon threads":
            for _ in range(4):
                threading.Thread(target=lambda: [ask(f"in thread {{n}}") for n in range(100_000)], daemon=True).start()
            time.sleep(0.2)
        elif left == "a task":
            async def main():
                other = pw.async_http_client(timeout=None)
                asyncio.create_task(other.post("http://x/v1/chat/completions", json=question("a task")))
                await asyncio.sleep(0)
            asyncio.run(main())
        print("end", flush=True)
        """,
        sandbox,
    )
    print(done.stdout, done.stderr[-3000:])
    assert done.returncode == 0
    assert done.stdout == "end\n"
