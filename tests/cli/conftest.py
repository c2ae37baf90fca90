"""Real state directories with books in them, a real gateway beside a simulated provider, and the command run both ways."""

import os
import re
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from pennyworth.cli.main import run
from pennyworth.ledgers.journal import FileJournal
from pennyworth.money import Money, Usage
from pennyworth.outcome import AttemptNote, Latency, Receipt
from pennyworth.state_dir import JOURNAL

PROGRAM = str(Path(sys.executable).with_name("pennyworth"))
ENV = {name: value for name, value in os.environ.items() if not name.startswith("PENNYWORTH_") and name != "COLUMNS"}


@dataclass
class Ended:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return msgspec.json.decode(self.out)


def program(*argv, cwd=None, env=None):
    """The installed command, as a process."""
    done = subprocess.run(
        [PROGRAM, *map(str, argv)], capture_output=True, text=True, cwd=cwd, env=ENV | (env or {}), timeout=120
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    """The command in this process: quick, and otherwise the same."""
    for name in list(os.environ):
        if name.startswith(("PENNYWORTH_", "OPENAI_")) or name == "COLUMNS":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def call(*argv):
        try:
            code = run([str(arg) for arg in argv])
        except SystemExit as left:  # cyclopts ends the process on a wrong command line
            code = left.code
        captured = capsys.readouterr()
        return Ended(code, captured.out, captured.err)

    return call


def receipt(number, **changes):
    """One that balances: asked of the provider for a dollar, unless changed."""
    fields = {
        "id": f"r-{number:04d}",
        "at_s": time.time() - 60 + number,
        "worker": "w0",
        "scope": "local",
        "model": "gpt-4o",
        "route": "default",
        "served": "upstream",
        "ending": "complete",
        "status": 200,
        "reason": "no kept answer",
        "target": "openai/gpt-4o",
        "usage": Usage(input=1000, output=200, cached=512),
        "spent": Money(10**12),
        "basis": "metered",
        "would_have_cost": Money(10**12),
        "would_basis": "metered",
        "key": f"{number:016x}",
        "latency": Latency(total_ms=812.5, first_byte_ms=311.0, upstream_ms=811.0),
        "price_source": "genai-prices: openai gpt-4o",
        "attempts": (
            AttemptNote(
                target="openai/gpt-4o",
                status=200,
                ending="complete",
                usage=Usage(input=1000, output=200, cached=512),
                spent=Money(10**12),
                basis="metered",
                total_ms=811.0,
                provider_request_id=f"req_{number}",
            ),
        ),
    }
    return Receipt(**fields | changes)


def hit(number, **changes):
    saved = {"served": "exact", "reason": "exact hit", "spent": Money(0), "saved": {"exact": Money(10**12)}}
    return receipt(number, **saved, attempts=(), kind="static", age_s=60.0, ttl_s=3600.0, answer="a-1", **changes)


def write_books(state_dir, receipts):
    """As a worker leaves them: in the journal, not folded yet."""
    journal = FileJournal(Path(state_dir) / JOURNAL, "w0")
    for each in receipts:
        journal.append(each)
    journal.close()
    return Path(state_dir)


@pytest.fixture
def books(tmp_path):
    return write_books(tmp_path / "state", [receipt(1), hit(2), receipt(3, ending="cut", status=502, scope="other")])


@dataclass
class Served:
    base_url: str
    state_dir: Path


@pytest.fixture(scope="session")
def gateway(tmp_path_factory):
    """``pennyworth serve`` without any provider: the sandbox answers."""
    folder = tmp_path_factory.mktemp("gateway")
    process = subprocess.Popen(
        [PROGRAM, "serve", "--port", "0", "--admin-port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=folder,
        env={name: value for name, value in ENV.items() if not name.endswith("_API_KEY")},
    )
    try:
        ready, _, _ = select.select([process.stdout], [], [], 60)
        assert ready
        listens = re.search(r"listens on (\S+)", process.stdout.readline())
        assert listens, process.poll()
        yield Served(listens[1], folder / ".pennyworth")
    finally:
        process.terminate()
        process.communicate(timeout=40)
    assert process.returncode == 0
