"""Several real processes on one cache file and one control row."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pennyworth.stores.sqlite import SqliteStore
from pennyworth.testing.entries import NOW_S, kept, key_of

CHILD = Path(__file__).with_name("store_child.py")


class Process:
    def __init__(self, folder: Path, *options: str, entries: int = 1_000) -> None:
        command = [sys.executable, str(CHILD), str(folder), str(entries), *options]
        pipe = subprocess.PIPE
        self.running = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)

    def say(self, line: str) -> str:
        assert self.running.stdin
        assert self.running.stdout
        self.running.stdin.write(line + "\n")
        self.running.stdin.flush()
        return self.running.stdout.readline().strip()

    def says_in_time(self, line: str, answer: str, within_s: float) -> bool:
        deadline = time.monotonic() + within_s
        while (said := self.say(line)) != answer and time.monotonic() < deadline:
            time.sleep(0.02)
        return said == answer

    def end(self) -> str:
        """Ends it properly; what it had reported."""
        _, reported = self.running.communicate(timeout=20)
        assert self.running.returncode == 0, reported
        return reported


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    started: list[Process] = []

    def start_one(*options: str, entries: int = 1_000) -> Process:
        started.append(Process(tmp_path, *options, entries=entries))
        return started[-1]

    yield start_one
    for process in started:
        process.running.kill()
        process.running.communicate()


def test_a_put_in_one_process_is_found_in_another_within_a_second(start):
    one, other = start(), start()
    assert other.say("get q") == "none"
    assert one.say("put q 1000") == "put"
    assert other.says_in_time("get q", "right", within_s=1.0)


def test_a_purge_in_one_process_is_seen_by_all_within_a_second_even_in_their_memory(start):
    one, other = start(), start()
    one.say("put q 1000")
    assert other.says_in_time("get q", "right", within_s=1.0)
    assert one.say("purge") == "epoch 1"
    assert other.says_in_time("get q", "none", within_s=1.0)
    assert other.say("sweep") == "swept 1"
    one.say("put q 1000")
    assert other.says_in_time("get q", "right", within_s=1.0)


def test_processes_share_one_limit(start):
    processes = [start(entries=100) for _ in range(2)]
    for number in range(150):
        for process in processes:
            process.say(f"put q{number}-{id(process)} 500")
    for process in processes:
        process.say("settle")
    assert processes[0].say("usage").startswith("entries 100 ")
    assert [process.end() for process in processes] == ["", ""]


async def test_killed_at_any_point_nothing_wrong_is_found_and_what_was_settled_is(start, tmp_path):
    for life in range(3):
        process = start()
        process.say(f"put before{life} 2000")
        process.say("settle")
        for number in range(60 * life):
            process.say(f"put q{life}-{number} 3000")
        process.running.kill()
    store = SqliteStore(tmp_path / "cache.db", b"secret", 1_000, 10**8)
    for life in range(3):
        assert await store.get(key_of(f"before{life}"), NOW_S) == kept(f"before{life}", 2000, asked_epoch=0)
        for number in range(60 * life):
            found = await store.get(key_of(f"q{life}-{number}"), NOW_S)
            assert found in (None, kept(f"q{life}-{number}", 3000, asked_epoch=0))
    assert (store.damaged, store.trouble) == (0, "")
    await store.close()


def test_a_full_disk_stops_the_puts_but_not_the_answers_until_there_is_room(start):
    process = start()
    process.say("put early 1000")
    process.say("settle")
    process.say("limit 200000")
    said = [process.say(f"put q{number} 50000") for number in range(10)]
    deadline = time.monotonic() + 5
    while not said[-1].startswith("StoreError") and time.monotonic() < deadline:
        time.sleep(0.05)
        said.append(process.say("put late 1000"))
    assert "cache.db" in said[-1]
    assert process.say("get early") == "right"
    process.say("limit 100000000")
    assert process.says_in_time("put later 1000", "put", within_s=5.0)
    assert process.say("settle") == "settled"
    reported = process.end()
    assert len(reported.splitlines()) < 5


def test_a_file_we_may_not_write_is_read_and_puts_say_why(start, tmp_path):
    owner = start()
    owner.say("put q 1000")
    owner.end()
    (tmp_path / "cache.db").chmod(0o444)
    guest = start("obedient")
    assert guest.say("get q") == "right"
    deadline = time.monotonic() + 5
    while not (said := guest.say("put other 1000")).startswith("StoreError") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "read-only" in said
    assert guest.say("get q") == "right"
    assert "read-only" in guest.end()


def test_a_folder_we_may_not_write_costs_the_cache_but_not_the_start(start, tmp_path):
    (tmp_path / "shared").mkdir()
    tmp_path.chmod(0o555)
    guest = start("obedient")
    said = [guest.say("get q"), guest.say("put q 1000")]
    tmp_path.chmod(0o755)
    assert [answer.startswith("StoreError cache.db: ") for answer in said] == [True, True]
