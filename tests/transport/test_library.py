"""The library as its user meets it: configuration, keys, processes, forks, the end of a program, what need not be installed."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI

import pennyworth
from pennyworth import Pennyworth
from pennyworth.clients import ClientKey
from pennyworth.errors import ConfigError, PennyworthError
from pennyworth.ledgers.balance import balances
from pennyworth.sandbox import SandboxServer, Settings
from pennyworth.secret import Secret
from pennyworth.testing.chat_bytes import chat_json
from pennyworth.testing.scripted_server import connection, send
from tests.door.running import eventually, plan_for
from tests.door.scripted_provider import last_reply
from tests.door.test_troubleshooting import is_quoted
from tests.transport.conftest import MakeLibrary
from tests.transport.doors import receipts_of

TRANSPORT = Path(pennyworth.__file__).parent / "transport"
GOOD = connection(send(last_reply(chat_json("For the fire hose.", usage=(12, 5)))))
KEYS = tuple(ClientKey(name=name, secret=Secret(f"sk-{name}-0000000001"), scope=name) for name in ("shop", "lab"))
QUESTION: Any = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Why are fire engines red?"}]}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(Settings(seed=12)) as server:
        yield server


@pytest.fixture
def config(sandbox: SandboxServer, tmp_path: Path) -> Path:
    path = tmp_path / "pennyworth.toml"
    path.write_text(
        f'state_dir = "{tmp_path / "state"}"\n'
        f'[providers.openai]\nbase_url = "{sandbox.base_url}"\nkey = "sk-provider-key-0001"\n'
        'price_provider = "openai"\n[cache]\nslow_after = "1m"\n'
    )
    return path


def program(text: str, config: Path) -> list[str]:
    """The lines that a program of its own prints."""
    head = (
        "import os, sys\nfrom openai import OpenAI\nfrom pennyworth import Pennyworth\n"
        f"QUESTION = {QUESTION!r}\n"
        "def ask(pw):\n"
        "    client = OpenAI(http_client=pw.http_client(), api_key='unused')\n"
        "    return pw.receipt(client.chat.completions.create(**QUESTION)).served\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", head + text, str(config)], capture_output=True, text=True, timeout=60.0, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_it_reads_the_servers_configuration_and_environment(config: Path, sandbox: SandboxServer, tmp_path: Path):
    with Pennyworth(config) as named, Pennyworth(env={"PENNYWORTH_CONFIG": str(config)}) as told:
        for pw in (named, told):
            OpenAI(http_client=pw.http_client(), api_key="unused").chat.completions.create(**QUESTION)
            assert eventually(lambda pw=pw: pw.stats()["store"]["entries"] == 1), (
                "another process sees it within a second"
            )
        assert sorted(receipt.served for receipt in receipts_of(named)) == ["exact", "upstream"]
        assert all(balances(receipt) for receipt in receipts_of(told))
    assert (tmp_path / "state" / "ledger.db").exists()


def test_what_is_wrong_with_the_configuration_is_said_at_once(tmp_path: Path):
    path = tmp_path / "pennyworth.toml"
    path.write_text("[cache]\nmax_entries = 'many'\n")
    with pytest.raises(ConfigError, match=r"cache\.max_entries"):
        Pennyworth(path)
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConfigError, match="state_dir"):
        Pennyworth(plan_for("http://127.0.0.1:1/v1", state_dir=str(file / "state")))


def test_nobody_is_answered_by_a_simulator_unawares():
    with pytest.raises(ConfigError, match=r"sandbox=True"):
        Pennyworth(env={"PENNYWORTH_STATE_DIR": ":memory:"})
    with Pennyworth(env={"PENNYWORTH_STATE_DIR": ":memory:"}, sandbox=True) as pw:
        reply = OpenAI(http_client=pw.http_client(), api_key="unused").chat.completions.create(**QUESTION)
        assert "Simulated" in str(reply.choices[0].message.content)


def test_a_client_asks_under_the_key_it_was_made_for(make: MakeLibrary):
    pw, _ = make([GOOD, GOOD], keys=KEYS)
    served = []
    for key in ("shop", "lab", "shop"):
        client = OpenAI(http_client=pw.http_client(key=key), api_key="unused")
        receipt = pw.receipt(client.chat.completions.create(**QUESTION))
        served.append((receipt.client, receipt.scope, receipt.served))
    assert served == [("shop", "shop", "upstream"), ("lab", "lab", "upstream"), ("shop", "shop", "exact")]


def test_where_keys_are_configured_one_is_needed_here_too(make: MakeLibrary):
    pw, _ = make([GOOD], keys=KEYS)
    with pytest.raises(openai.AuthenticationError):
        OpenAI(http_client=pw.http_client(), api_key="unused").chat.completions.create(**QUESTION)
    shown = OpenAI(http_client=pw.http_client(), api_key="sk-shop-0000000001")
    assert pw.receipt(shown.chat.completions.create(**QUESTION)).client == "shop"
    with pytest.raises(ConfigError, match="no client key 'shpo'"):
        pw.http_client(key="shpo")


def test_the_operator_may_ask_where_strangers_may_not(make: MakeLibrary):
    pw, _ = make([GOOD], allow_anonymous=False)
    client = OpenAI(http_client=pw.http_client(), api_key="unused")
    assert pw.receipt(client.chat.completions.create(**QUESTION)).scope == "local"


def test_a_callers_own_credential_is_forwarded_only_where_its_operator_says_so(make: MakeLibrary):
    pw, provider = make([GOOD], provider={"forward_caller": True})
    OpenAI(http_client=pw.http_client(), api_key="sk-of-the-caller").chat.completions.create(**QUESTION)
    assert b"Bearer sk-of-the-caller" in provider.requests[0]


def test_once_closed_it_says_so(make: MakeLibrary):
    pw, _ = make()
    client = OpenAI(http_client=pw.http_client(), api_key="unused", max_retries=0)
    pw.close()
    pw.close()
    with pytest.raises(PennyworthError, match="is closed"):
        client.chat.completions.create(**QUESTION)
    with pytest.raises(PennyworthError, match="is closed"):
        pw.stats()


def test_it_is_opened_and_closed_in_a_coroutine_too(make: MakeLibrary):
    pw, _ = make([GOOD])

    async def main() -> str:
        async with pw:
            client = openai.AsyncOpenAI(http_client=pw.async_http_client(), api_key="unused")
            reply = await client.chat.completions.create(**QUESTION)
        return str(reply.choices[0].message.content)

    assert asyncio.run(main()) == "For the fire hose."


def test_processes_share_answers_and_books(config: Path):
    """As the workers of a server do; and a program that forgets to close loses nothing."""
    forgetful = "pw = Pennyworth(sys.argv[1])\nprint(ask(pw))"
    assert [program(forgetful, config) for _ in range(2)] == [["upstream"], ["exact"]]
    with Pennyworth(config) as pw:
        receipts = receipts_of(pw)
        assert sorted(receipt.served for receipt in receipts) == ["exact", "upstream"]
        assert len({receipt.worker for receipt in receipts}) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_children_have_engines_of_their_own(config: Path):
    """The parent has asked already, so that its engine, its threads and its files are all there when it forks."""
    text = """
import time
pw = Pennyworth(sys.argv[1])
client = OpenAI(http_client=pw.http_client(), api_key='unused')
print(pw.receipt(client.chat.completions.create(**QUESTION)).served, flush=True)
while not pw.stats()['store']['entries']:
    time.sleep(0.02)
for _ in range(2):
    child = os.fork()
    if child == 0:
        found = pw.receipt(client.chat.completions.create(**QUESTION))
        print(found.served, found.worker == f'app-{os.getpid()}', flush=True)
        pw.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
print(pw.receipt(client.chat.completions.create(**QUESTION)).served, flush=True)
pw.close()
"""
    assert program(text, config) == ["upstream", "exact True", "exact True", "exact"]
    with Pennyworth(config) as pw:
        receipts = receipts_of(pw)
        assert len(receipts) == 4
        assert len({receipt.worker for receipt in receipts}) == 3
        assert pw.stats()["ledger"]["endings"] == {"complete": 4}


def test_the_package_needs_no_http_client_and_says_what_brings_one(config: Path):
    text = """
import sys
from pennyworth import Pennyworth
assert 'httpx' not in sys.modules
sys.modules['httpx2'] = sys.modules['httpx'] = None
with Pennyworth(sys.argv[1]) as pw:
    for make in (pw.http_client, pw.async_http_client, pw.legacy_http_client, pw.legacy_async_http_client):
        try:
            make()
        except ImportError as error:
            print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", text, str(config)], capture_output=True, text=True, timeout=60.0, check=False
    )
    assert done.returncode == 0, done.stderr
    told = done.stdout.splitlines()
    assert len(told) == 4
    assert all("httpx2 is not installed" in line and "pip install openai" in line for line in told[:2])
    assert all("pip install httpx'" in line for line in told[2:])


def test_the_twin_for_httpx_is_the_one_for_httpx2_with_another_name():
    one, other = ((TRANSPORT / f"over_{name}.py").read_text().split("\n", 1)[1] for name in ("httpx2", "httpx"))
    assert one.replace("httpx2", "httpx") == other


def test_troubles_go_to_the_programs_own_log_and_name_no_secret(make: MakeLibrary, caplog: pytest.LogCaptureFixture):
    pw, _ = make()
    house = pw._at_home()
    with caplog.at_level(logging.WARNING, "pennyworth"):
        house.loop.take(house.runtime.state.trouble, "store", "it said Bearer sk-provider-key-0001 and broke")
    assert caplog.messages == ["store: it said … and broke"]


def test_the_page_for_bad_nights_quotes_what_the_library_says(make: MakeLibrary):
    pw, _ = make(keys=KEYS)
    house = pw._at_home()
    wrong: list[Callable[[], object]] = [
        lambda: Pennyworth(env={"PENNYWORTH_STATE_DIR": ":memory:"}),
        lambda: pw.http_client(key="shpo"),
        lambda: pw.receipt(object()),
        lambda: pw.receipt("r-0"),
        lambda: house.loop.take(house.loop.take, print),
        lambda: _closed(pw).stats(),
    ]
    for provoke in wrong:
        with pytest.raises((PennyworthError, LookupError, RuntimeError)) as caught:
            provoke()
        assert is_quoted(str(caught.value)), caught.value


def _closed(pw: Pennyworth) -> Pennyworth:
    pw.close()
    return pw


def test_two_libraries_in_one_program_know_nothing_of_each_other(make: MakeLibrary):
    (one, _), (other, provider) = make([GOOD]), make([GOOD])
    for pw in (one, other):
        OpenAI(http_client=pw.http_client(), api_key="unused").chat.completions.create(**QUESTION)
    assert len(provider.requests) == 1
    assert [receipt.served for receipt in receipts_of(one)] == ["upstream"]
