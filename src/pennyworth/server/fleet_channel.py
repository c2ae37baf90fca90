"""What the supervisor and a worker say to each other: a Plan once, then one line of JSON a question and an answer.

The channel is a pair of connected sockets without a name. Its end tells either side that the other one is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import msgspec

from pennyworth.errors import ConfigError, PennyworthError
from pennyworth.plan import Plan
from pennyworth.secret import Secret
from pennyworth.server.snapshot import InForce, Snapshot

_LONGEST_LINE = 16 * 2**20
_MOST_UNANSWERED = 16
_T = TypeVar("_T")

Matter = Literal["snapshot", "in_force", "prepare", "adopt"]


class Ask(msgspec.Struct, frozen=True):
    """The supervisor's question. ``in_force`` costs the worker nothing to tell.

    ``prepare``: make ready for this packed ``plan``. ``adopt``: go by the one that was prepared last.
    """

    number: int
    matter: Matter
    plan: bytes = b""


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """A worker's first line: it serves, or why it cannot (a ``ConfigError``'s key, problem and fix)."""

    trouble: tuple[str, str, str] | None = None

    def check(self) -> None:
        if self.trouble is not None:
            raise ConfigError(*self.trouble)


class Tell(msgspec.Struct, frozen=True, tag="tell"):
    """A worker's answer. ``plan``: the digest it goes by. ``trouble``: why it cannot do what was asked, as in ``Hello``."""

    number: int
    in_force: InForce
    snapshot: Snapshot | None = None
    plan: str = ""
    trouble: tuple[str, str, str] | None = None

    def check(self) -> None:
        if self.trouble is not None:
            raise ConfigError(*self.trouble)


class SilentError(PennyworthError):
    """The worker does not answer, or is gone."""


def pack(plan: Plan) -> bytes:
    """The Plan as it is given to a worker, secrets included: for a pipe between two of our processes, nothing else."""
    return msgspec.msgpack.encode(plan, enc_hook=_secret_out)


def unpack(packed: bytes) -> Plan:
    return msgspec.msgpack.decode(packed, type=Plan, dec_hook=_secret_in)


def _secret_out(value: object) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"no way to send {type(value)}")


def _secret_in(kind: type, value: Any) -> Any:
    if kind is Secret:
        return Secret(value)
    raise TypeError(f"no way to receive {kind}")


class Link:
    """The supervisor's end. Answers are told apart by number, so that one that comes late is not taken for another."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Tell]] = {}
        self._decode = msgspec.json.Decoder(Hello | Tell).decode
        self._hello: asyncio.Future[Hello] = asyncio.get_running_loop().create_future()
        self._listening = asyncio.get_running_loop().create_task(self._listen())

    @classmethod
    async def open(cls, end: socket.socket) -> Link:
        return cls(*await asyncio.open_unix_connection(sock=end, limit=_LONGEST_LINE))

    @property
    def gone(self) -> bool:
        """The worker's end is closed, which its death does."""
        return self._listening.done()

    async def hello(self, within_s: float) -> Hello:
        """The worker's first line. Raises ``SilentError``."""
        return await _in_time(self._hello, within_s)

    async def ask(self, matter: Matter, within_s: float, plan: bytes = b"") -> Tell:
        """Raises ``SilentError`` when no answer comes in time. A worker that owes many answers is not asked again."""
        if self.gone or len(self._asked) >= _MOST_UNANSWERED:
            raise SilentError("the worker is gone" if self.gone else "the worker does not answer")
        number = next(self._numbers)
        answer: asyncio.Future[Tell] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        self._writer.write(msgspec.json.encode(Ask(number, matter, plan)) + b"\n")
        return await _in_time(answer, within_s)

    def close(self) -> None:
        self._listening.cancel()
        self._writer.close()
        self._give_up()

    async def _listen(self) -> None:
        try:
            while line := await self._reader.readline():
                match self._decode(line):
                    case Hello() as hello:
                        _resolve(self._hello, hello)
                    case Tell() as told:
                        _resolve(self._asked.pop(told.number, None), told)
        except (OSError, ValueError, msgspec.MsgspecError):
            pass  # broken or garbled: as good as gone
        finally:
            self._give_up()

    def _give_up(self) -> None:
        self._hello.cancel()
        for asked in self._asked.values():
            asked.cancel()
        self._asked.clear()


async def _in_time(future: asyncio.Future[_T], within_s: float) -> _T:
    """Leaves the future be when the time is over: its answer may still come, and is then passed over."""
    done, _ = await asyncio.wait((future,), timeout=within_s)
    if not done or future.cancelled():
        raise SilentError("the worker does not answer" if not done else "the worker is gone")
    return future.result()


def _resolve(future: asyncio.Future[_T] | None, value: _T) -> None:
    if future is not None and not future.done():
        future.set_result(value)


def refuse(end: socket.socket, error: ConfigError) -> None:
    """The worker's end: says why it cannot serve; to be called instead of ``answer``."""
    with contextlib.suppress(OSError):
        end.sendall(msgspec.json.encode(Hello((error.key, error.problem, error.fix))) + b"\n")
    end.close()


async def answer(end: socket.socket, tell: Callable[[Ask], Tell]) -> None:
    """The worker's end: says hello, answers until the supervisor is gone."""
    reader, writer = await asyncio.open_unix_connection(sock=end, limit=_LONGEST_LINE)
    decode = msgspec.json.Decoder(Ask).decode
    with contextlib.suppress(OSError, ValueError, msgspec.MsgspecError):
        writer.write(msgspec.json.encode(Hello()) + b"\n")
        await writer.drain()
        while line := await reader.readline():
            writer.write(msgspec.json.encode(tell(decode(line))) + b"\n")
            await writer.drain()
    writer.close()
