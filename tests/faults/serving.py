"""``pennyworth serve`` as people start it, in a process of its own, before any provider."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType

from pennyworth.ledgers.sqlite import SqliteLedger
from pennyworth.outcome import Receipt
from pennyworth.state_dir import ANSWERS, LEDGER
from tests.door.raw import RawReply, Wire, post, question

_CONFIG = """\
state_dir = "{state}"

[listen]
port = 0
workers = {workers}

[admin]
port = 0

[providers.openai]
base_url = "{base_url}"
key = "sk-provider-key-0001"

[limits]
{limits}
"""


class Serving:
    """Start it as a context. ``port`` is the public one, ``admin_port`` the other."""

    def __init__(self, folder: Path, base_url: str, *, workers: int = 1, **limits: str) -> None:
        self.state = folder / "state"
        self.port = 0
        self.admin_port = 0
        self._config = folder / "pennyworth.toml"
        lines = "\n".join(f'{name} = "{value}"' for name, value in limits.items())
        self._config.write_text(
            _CONFIG.format(state=self.state, base_url=base_url, workers=workers, limits=lines), encoding="utf-8"
        )

    def __enter__(self) -> Serving:
        command = [Path(sys.executable).with_name("pennyworth"), "serve", "--config", self._config]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PENNYWORTH_")}
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("Admin port: "):
                self.admin_port = _port_in(line)
                return self
            if "/v1 " in line:
                self.port = _port_in(line)
        raise AssertionError(self.process.communicate()[1])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> float:
        """Asks it to end, and waits; how long that took."""
        before = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.wait()
        return time.monotonic() - before

    def wait(self) -> None:
        """Until it has ended, which it was asked for before."""
        try:
            self.process.communicate(timeout=60.0)
        finally:
            self.process.kill()

    def ask(self, text: str, *, stream: bool = False) -> RawReply:
        with Wire(self.port, 30.0) as wire:
            reply = wire.send(post(question(text, stream=stream))).read()
        assert reply is not None
        return reply

    def peak_mb(self) -> float:
        """The most memory it ever held."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024

    def receipts(self) -> list[Receipt]:
        """What the books hold once it has ended."""
        ledger = SqliteLedger(self.state / LEDGER)
        try:
            return list(ledger.receipts(100_000))
        finally:
            ledger.close()

    def answers(self) -> int:
        """How many answers are kept on disk, once it has ended."""
        with contextlib.closing(sqlite3.connect(self.state / ANSWERS)) as store:
            return int(store.execute("SELECT count(*) FROM answers").fetchone()[0])

    def busy_worker(self) -> int:
        """The worker process that serves a request just now, as the admin port tells; once it does."""
        for _ in range(500):
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}/api/v1/cache/stats") as reply:
                workers = json.load(reply)["workers"]
            busy = [worker["pid"] for worker in workers if worker["in_flight"]]
            if busy:
                return int(busy[0])
            time.sleep(0.02)
        raise AssertionError("no worker is busy")


def _port_in(line: str) -> int:
    return int(line.partition("http://127.0.0.1:")[2].split("/")[0].split(" ")[0])
