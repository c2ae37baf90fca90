"""The application: asks the gateway by the official SDK, its asynchronous and its blocking client, as streams
and whole, and checks every answer against the request it answers. The SDK's own retries are on.

``python -m pennyworth.demo.client`` reads its task as a line of JSON, and writes what it hears as lines of JSON. It works
as several processes: the SDK is the slowest part of the demo, and a machine has more than one core.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any

import msgspec
import openai
import uvloop

from pennyworth.demo.heard import Reply
from pennyworth.demo.questions import body, guide, load
from pennyworth.demo.stream import Asking, wordings
from pennyworth.demo.task import Task
from pennyworth.sandbox import check_answer

RETRIES = 2
PROCESSES = 2
_PATIENCE_S = 60.0
_LONGEST = 200


class Said(msgspec.Struct, frozen=True):
    """What came back: the text, how it ended, and the reply's head."""

    text: str
    finish: str
    receipt: str
    retries: int


class Application:
    """The SDK's two clients at one gateway. ``guided``: the long prompt."""

    def __init__(self, task: Task, guided: str) -> None:
        self._task = task
        self._guided = guided
        url, key = task.base_url, task.key
        self._async = openai.AsyncOpenAI(base_url=url, api_key=key, max_retries=RETRIES, timeout=_PATIENCE_S)
        self._sync = openai.OpenAI(base_url=url, api_key=key, max_retries=RETRIES, timeout=_PATIENCE_S)

    async def __aenter__(self) -> Application:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._async.close()
        self._sync.close()

    async def ask_all(self, tell: Callable[[Reply], None]) -> None:
        """Everything in its order, so many at a time."""
        waiting = iter(self._task.askings)

        async def work(mine: Iterator[Asking]) -> None:
            for asking in mine:
                tell(await self._ask(asking))

        await asyncio.gather(*(work(waiting) for _ in range(self._task.at_once)))

    async def _ask(self, asking: Asking) -> Reply:
        fields = body(asking.question, asking.text, self._guided, stream=asking.stream)
        began = time.perf_counter()
        try:
            said = await (asyncio.to_thread(self._say, fields) if asking.sync else self._say_async(fields))
        except openai.APIError as error:
            ended = time.perf_counter()
            return Reply(
                number=asking.number, began_s=began, ended_s=ended, failure=_named(error), retries=_retries_of(error)
            )
        ended = time.perf_counter()
        wrong, reworded = self._check(asking, said)
        return Reply(
            number=asking.number,
            began_s=began,
            ended_s=ended,
            receipt=said.receipt,
            finish=said.finish,
            wrong=wrong,
            reworded=reworded,
            retries=said.retries,
        )

    async def _say_async(self, fields: Mapping[str, Any]) -> Said:
        model, messages = fields["model"], fields["messages"]
        if not fields.get("stream"):
            whole = await self._async.chat.completions.with_raw_response.create(model=model, messages=messages)
            choice = whole.parse().choices[0]
            return _said(choice.message.content or "", choice.finish_reason, whole.headers, whole.http_request.headers)
        stream = await self._async.chat.completions.create(model=model, messages=messages, stream=True)
        texts, finish = [], ""
        async for chunk in stream:
            for part in chunk.choices:
                texts.append(part.delta.content or "")
                finish = part.finish_reason or finish
        return _said("".join(texts), finish, stream.response.headers, stream.response.request.headers)

    def _say(self, fields: Mapping[str, Any]) -> Said:
        """The same by the blocking client, in a thread."""
        model, messages = fields["model"], fields["messages"]
        if not fields.get("stream"):
            whole = self._sync.chat.completions.with_raw_response.create(model=model, messages=messages)
            choice = whole.parse().choices[0]
            return _said(choice.message.content or "", choice.finish_reason, whole.headers, whole.http_request.headers)
        stream = self._sync.chat.completions.create(model=model, messages=messages, stream=True)
        texts, finish = [], ""
        for chunk in stream:
            for part in chunk.choices:
                texts.append(part.delta.content or "")
                finish = part.finish_reason or finish
        return _said("".join(texts), finish, stream.response.headers, stream.response.request.headers)

    def _check(self, asking: Asking, said: Said) -> tuple[str, bool]:
        """What is wrong with the answer, and whether it is one to another wording of the question."""
        wrong = self._wrong(asking, asking.text, said)
        if not wrong:
            return "", False
        others = (text for text in wordings(asking.question) if text != asking.text)
        if any(not self._wrong(asking, text, said) for text in others):
            return "", True
        return f"request {asking.number}: {wrong}"[:_LONGEST], False

    def _wrong(self, asking: Asking, text: str, said: Said) -> str:
        asked = body(asking.question, text, self._guided, stream=False)
        return check_answer(said.text, asked, self._task.provider_key, finish=said.finish) or ""


def _said(text: str, finish: str | None, reply: Mapping[str, str], request: Mapping[str, str]) -> Said:
    return Said(text, finish or "", reply.get("x-pennyworth-receipt", ""), _retries(request))


def _retries(request: Mapping[str, str]) -> int:
    """The SDK says in a header of the request how often it had tried before."""
    count = request.get("x-stainless-retry-count", "0")
    return int(count) if count.isdigit() else 0


def _retries_of(error: openai.APIError) -> int:
    return _retries(error.request.headers)


def _named(error: openai.APIError) -> str:
    """As the application would log it."""
    match error:
        case openai.APIStatusError():
            return f"status {error.status_code}"
        case openai.APITimeoutError():
            return "timed out"
        case openai.APIConnectionError():
            return "the connection broke"
        case _:
            return "the stream broke off, and said so"


async def _work(task: Task) -> None:
    async with Application(task, guide(load())) as application:
        await application.ask_all(_tell)


def _tell(reply: Reply) -> None:
    os.write(sys.stdout.fileno(), msgspec.json.encode(reply) + b"\n")  # in one write: the pipe is shared


def _part(task: Task, number: int) -> Task:
    """Every PROCESSES-th request, and as much of what may be in flight."""
    mine = task.askings[number::PROCESSES]
    return msgspec.structs.replace(task, askings=mine, at_once=max(task.at_once // PROCESSES, 1))


def _fork(task: Task) -> int:
    """So many processes that have the SDK already. Ends with 0 if all of them did."""
    children = []
    for number in range(PROCESSES):
        if child := os.fork():
            children.append(child)
        else:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_work(_part(task, number)))
            os._exit(0)
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


def main() -> None:
    _ = openai.OpenAI(api_key="none").chat.completions  # the SDK imports most of itself when it is first used
    gc.freeze()  # it brings half a million objects, and looking through them took a fifth of the time
    sys.exit(_fork(msgspec.json.decode(sys.stdin.buffer.readline(), type=Task)))


if __name__ == "__main__":
    main()
