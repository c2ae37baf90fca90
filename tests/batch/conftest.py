"""A simulated provider, a configuration that asks it, and the command as a process that can be killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pennyworth.config import load
from pennyworth.sandbox import SandboxServer, Settings
from pennyworth.state_dir import open_folder, open_ledger

from .meddler import Meddler

PROGRAM = str(Path(sys.executable).with_name("pennyworth"))
ENV = {name: value for name, value in os.environ.items() if not name.startswith("PENNYWORTH_") and name != "COLUMNS"}
PRICE = {"input": "0.37", "output": "1.13", "cached": "0.1"}
MODEL = "sim-1"
CONFIG = """
state_dir = "state"
[providers.openai]
base_url = "{url}"
key = "sk-batch"
batch = true
{more}
[models.sim-1.price]
input = "0.37"
output = "1.13"
cached = "0.1"
"""


def question(text, **more):
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **more}


def line(custom_id, body, url="/v1/chat/completions"):
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": body}


def write(path, lines):
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in lines))
    return path


def questions(count, prefix="What is"):
    return [line(f"q{number}", question(f"{prefix} {number}?")) for number in range(count)]


class Place:
    """A folder with a configuration in it, the provider it asks, and the command run there."""

    def __init__(self, folder, sandbox):
        self.folder = folder
        self.sandbox = sandbox
        self.url = sandbox.base_url
        self.configure()

    def configure(self, more="", tail=""):
        """``more``: of the provider. ``tail``: other sections."""
        (self.folder / "c.toml").write_text(CONFIG.format(url=self.url, more=more) + tail)

    def start(self, *argv, env=None):
        command = [PROGRAM, "batch", "in.jsonl", "out.jsonl", "--config", "c.toml", "--json", *map(str, argv)]
        return subprocess.Popen(
            command, cwd=self.folder, env=ENV | (env or {}), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *argv, code=0, env=None):
        """What the command tells in JSON."""
        process = self.start(*argv, env=env)
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, err
        self.err = err
        return json.loads(out) if out else None

    def stop_when(self, ready, sig=signal.SIGKILL, argv=()):
        """Starts it, and sends the signal when ``ready`` says so; whether it was still running."""
        process = self.start(*argv)
        until(lambda: ready() or process.poll() is not None)
        running = process.poll() is None
        process.send_signal(sig)
        _, self.err = process.communicate(timeout=60)
        return running

    def recorded(self):
        part = self.folder / "out.jsonl.part"
        lines = part.read_bytes().splitlines(keepends=True) if part.exists() else []
        return sum(text.endswith(b"\n") and b'"kind":"direct"' not in text for text in lines)

    def card(self):
        path = self.folder / "out.jsonl.batch"
        return json.loads(path.read_text()) if path.exists() else {"lanes": []}

    def out(self, name="out.jsonl"):
        return [json.loads(text) for text in (self.folder / name).read_text().splitlines()]

    def receipts(self):
        plan = load(str(self.folder / "c.toml"), {})
        os.chdir(self.folder)
        ledger = open_ledger(plan)
        try:
            open_folder(plan, ledger, lambda *_: None).flush()
            return ledger.receipts(100_000)
        finally:
            ledger.close()

    def spent(self):
        return sum(receipt.spent.pico for receipt in self.receipts())

    def bill(self):
        return list(self.sandbox.control.bill())

    def billed(self):
        return sum(each.amount_pico for each in self.bill())


def until(ready, timeout_s=60.0):
    deadline = time.monotonic() + timeout_s
    while not ready():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def sandbox():
    with SandboxServer(Settings(prices={MODEL: PRICE, "claude-1": PRICE}, seed=3)) as server:
        yield server


@pytest.fixture
def place(sandbox, tmp_path, monkeypatch):
    from pennyworth.sandbox.batches import Behaviour

    sandbox.control.reset()
    sandbox.control.script([])
    sandbox.control.batches(Behaviour())
    monkeypatch.chdir(tmp_path)
    return Place(tmp_path, sandbox)


@pytest.fixture
def meddler(place):
    """A man in the middle, whom the command asks from now on."""
    with Meddler(place.sandbox.base_url) as between:
        place.url = between.base_url
        place.configure()
        yield between
