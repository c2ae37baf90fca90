"""U4 and U2 with somebody to fall back on: the other answers only if nothing of the first has been given, and then alone."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from pennyworth.plan import Provider, Route
from pennyworth.secret import Secret
from pennyworth.testing.chat_bytes import chat_events, chat_json
from pennyworth.testing.scripted import fail, stream
from pennyworth.testing.scripted_server import connection, send
from tests.door.raw import Wire, post, question
from tests.door.running import Running, plan_for, provider_at
from tests.door.scripted_provider import ScriptedProvider, last_reply
from tests.engine.conftest import ONCE, MakeHouse
from tests.faults.line import BadLine

EVENTS = chat_events(["Hel", "lo"], usage=(9, 2))
RAW = b"".join(EVENTS)
OTHER = chat_events(["Good day"], usage=(9, 2))


def provider(name: str, *models: str) -> Provider:
    url = f"http://{name}.invalid/v1"
    return Provider(
        name=name, base_url=url, credential=Secret("k"), models=models, price_provider="openai", persistence=ONCE
    )


CHAIN = {
    "providers": (provider("openai", "gpt-*"), provider("other", "o-*")),
    "routes": (Route(fallbacks=("other/gpt-4o-mini",)),),
}


async def test_a_stream_cut_at_any_byte_is_the_others_alone_or_ends_in_an_error(house: MakeHouse):
    here = await house(**CHAIN)
    begun = RAW.index(b"Hel")
    for at in range(len(RAW)):
        here.upstream.play(stream([RAW[:at], fail("reset")]), stream(OTHER))
        heard = await here.ask(f"cut {at}", stream=True)
        if here.upstream.left == 0:
            assert at <= begun + len(EVENTS[1])
            assert (heard.text, b"Hel" in heard.body, b'"error"' in heard.body) == ("Good day", False, False)
        elif b"[DONE]" in heard.body:
            assert at >= len(RAW) - 2
        else:
            assert b'"error"' in heard.body
            assert b"Good day" not in heard.body
    assert here.runtime.parts.store.usage().entries == 0, "not even the other's answer, under the asked one's key"


@pytest.mark.skipif(sys.platform != "linux", reason="a full queue swallows connections on Linux only")
def test_behind_a_black_hole_the_other_is_there_after_one_connect_time(ask_about: Callable[[], str]):
    with ScriptedProvider(then=connection(send(last_reply(chat_json("well"))))) as well, BadLine(well.base_url) as dead:
        dead.door("unheard")
        first = provider_at(dead.base_url, connect_s=0.3)
        other = provider_at(well.base_url, name="other", models=("o-*",))
        chain = (Route(fallbacks=("other/gpt-4o-mini",)),)
        with Running(plan_for("", providers=(first, other), routes=chain)) as running, Wire(running.port) as wire:
            told = wire.send(post(question(ask_about()))).read()
            assert told is not None
            assert (told.status, b"well" in told.body) == (200, True)
            attempts = running.last().attempts
    assert [note.target for note in attempts] == ["openai/gpt-4o-mini", "other/gpt-4o-mini"]
    assert attempts[0].total_ms >= 270
