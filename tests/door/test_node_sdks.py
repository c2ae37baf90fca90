"""The official SDKs of Node, run by Node's own test runner: ``tests/node`` against gateways on real sockets."""

from __future__ import annotations

import filecmp
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pennyworth.sandbox import SandboxServer
from tests.door.running import Running
from tests.door.vendors import SPOKEN, gateway_for

HERE = Path(__file__).parent.parent / "node"
NODE, NPM = shutil.which("node"), shutil.which("npm")
_NO_NETWORK = re.compile("ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENETUNREACH")

pytestmark = pytest.mark.skipif(not (NODE and NPM), reason="node and npm are not installed here")


@pytest.fixture(scope="module")
def installed() -> None:
    """The SDKs as the lock file names them; once, while it stays the same."""
    lock, done = HERE / "package-lock.json", HERE / "node_modules" / ".installed-lock.json"
    if done.exists() and filecmp.cmp(lock, done, shallow=False):
        return
    made = subprocess.run([str(NPM), "ci", "--no-audit", "--no-fund"], cwd=HERE, capture_output=True, text=True)
    if made.returncode and _NO_NETWORK.search(made.stderr):
        pytest.skip("npm reaches no registry from here")
    assert made.returncode == 0, made.stderr
    shutil.copyfile(lock, done)


@pytest.mark.parametrize("suite", ["openai", "anthropic"])
def test_the_sdk_of_node_gets_what_it_would_get_directly(installed: None, sandbox: SandboxServer, suite: str):
    with (
        Running(gateway_for(sandbox.base_url)) as gateway,
        Running(gateway_for(sandbox.base_url, "chat")) as chat,
        Running(gateway_for(sandbox.base_url, "messages")) as messages,
    ):
        urls = {"GATEWAY_URL": gateway.url, "CHAT_ONLY_URL": chat.url, "MESSAGES_ONLY_URL": messages.url}
        env = {**os.environ, **urls, "SPOKEN": ",".join(SPOKEN), "NO_COLOR": "1"}
        command = [str(NODE), "--test", "--test-reporter=spec", f"{suite}.test.mjs"]
        ran = subprocess.run(command, cwd=HERE, env=env, capture_output=True, text=True, timeout=120)
        assert ran.returncode == 0, ran.stdout[-8000:] + ran.stderr[-2000:]
        assert "tests 0" not in ran.stdout
        assert all(receipt.status for receipt in gateway.receipts())
