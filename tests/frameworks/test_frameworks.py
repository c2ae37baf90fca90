"""The examples of ``docs/frameworks.md``, as people run them: over a gateway's base URL, and in process without one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pennyworth import Pennyworth
from pennyworth.config import load
from pennyworth.outcome import Receipt
from pennyworth.sandbox import Rule, SandboxServer, Settings
from tests.door.running import Running
from tests.frameworks.environment import llama_index_python
from tests.transport.doors import receipts_of

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
FRAMEWORKS: dict[str, Callable[[], str]] = {
    "langchain_chat": lambda: sys.executable,
    "pydantic_ai_agent": lambda: sys.executable,
    "llama_index_chat": llama_index_python,
}
WHOLE = r"\[wm:[0-9a-f]{32}\] Simulated answer: .* \[end:[0-9a-f]{32}\]"
SAID = [f"reply: {WHOLE}", f"stream: {WHOLE}", r"tools: \['weather'\]", f"after: {WHOLE}"]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(Settings(seed=13)) as server:
        yield server


@pytest.fixture
def config(sandbox: SandboxServer, tmp_path: Path) -> Path:
    path = tmp_path / "pennyworth.toml"
    path.write_text(
        f'state_dir = "{tmp_path / "state"}"\n[providers.openai]\nbase_url = "{sandbox.base_url}"\n'
        'key = "sk-provider-key-0001"\nprice_provider = "openai"\n[cache]\nslow_after = "1m"\n'
    )
    return path


def run(sandbox: SandboxServer, name: str, config: Path, *arguments: str) -> list[str]:
    """What the example prints. Its simulated model calls the tool when it is first asked about the umbrella."""
    sandbox.control.script([Rule(kind="tool_calls", marker="Shall I take", times=1)])
    done = subprocess.run(
        [FRAMEWORKS[name](), str(EXAMPLES / f"{name}.py"), *arguments],
        env={**os.environ, "PENNYWORTH_CONFIG": str(config), "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=120.0,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def heard_all(lines: list[str]) -> bool:
    return len(lines) >= len(SAID) and all(re.fullmatch(said, line) for said, line in zip(SAID, lines, strict=False))


def served(receipts: list[Receipt]) -> list[tuple[str, bool, str]]:
    return [(receipt.served, receipt.stream, receipt.ending) for receipt in receipts]


FIRST = [
    ("upstream", False, "complete"),
    ("upstream", True, "complete"),
    ("upstream", False, "tools"),
    ("upstream", False, "complete"),
]


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_framework_works_over_the_base_url_and_in_process(sandbox: SandboxServer, name: str, config: Path):
    """First through a gateway; then by itself in the same state directory, where its questions have been answered."""
    with Running(load(str(config), {})) as running:
        first = run(sandbox, name, config, running.base_url)
    second = run(sandbox, name, config)
    assert heard_all(first), first
    assert second[:-1] == first
    assert re.fullmatch(r"saved: 0\.0000\d+", second[-1])
    with Pennyworth(config) as pw:
        receipts = receipts_of(pw)
    assert served(receipts[:4]) == FIRST
    assert served(receipts[4:6]) == [("exact", False, "complete"), ("exact", True, "complete")]
    assert {receipt.worker[:3] for receipt in receipts} == {"w0", "app"}
