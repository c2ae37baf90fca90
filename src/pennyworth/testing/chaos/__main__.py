"""``python -m pennyworth.testing.chaos``: the chaos proxy for people. One line of JSON for each connection that ended."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import sys

import msgspec

from pennyworth.testing.chaos import ChaosProxy, Seen, read_fault
from pennyworth.testing.chaos.faults import Fault

_FAULTS = """\
faults (each field by name; way=up means what the client sends, else it is what the server sends):
  delay,s=0.2[,jitter_s=0.1]   every piece is passed on later
  rate,bytes_per_s=100         no faster than this
  stall,at=K[,s=30]            after K bytes nothing more, for so long or for ever
  cut,at=K                     after K bytes closed in order
  reset,at=K                   after K bytes broken by TCP RST
  swallow[,at=K]               from byte K on nothing arrives, not even the end: half-open
  corrupt,at=12+90             these bytes are changed; or corrupt,share=0.001: one in a thousand
  black-hole                   accepted, and then nothing, ever
  refuse                       reset as soon as it is accepted
"""


def main() -> int:
    chosen = _options().parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(chosen))
    return 0


async def _run(chosen: argparse.Namespace) -> None:
    proxy = ChaosProxy(
        *chosen.to, then=tuple(chosen.fault), share=chosen.share, seed=chosen.seed, listen=chosen.listen, told=_tell
    )
    async with proxy:
        print(f"{chosen.listen[0]}:{proxy.port} leads to {chosen.to[0]}:{chosen.to[1]}; seed {chosen.seed}", flush=True)
        await asyncio.Event().wait()


def _tell(seen: Seen) -> None:
    line = {name: getattr(seen, name) for name in ("number", "ended", "up", "down", "corrupted")}
    print(msgspec.json.encode({**line, "faults": list(seen.faults)}).decode(), flush=True)


def _options() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog="python -m pennyworth.testing.chaos",
        description="A TCP proxy that misbehaves on purpose.",
        epilog=_FAULTS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    options.add_argument("--listen", type=_address, default=("127.0.0.1", 0), metavar="HOST:PORT")
    options.add_argument("--to", type=_address, required=True, metavar="HOST:PORT", help="the server behind it")
    options.add_argument("--fault", type=_fault, action="append", default=[], help="may be given more than once")
    options.add_argument("--share", type=float, default=1.0, help="of the connections that get the faults")
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9), help="of all chance")
    return options


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no host:port")
    return host.strip("[]") or "127.0.0.1", int(port)


def _fault(text: str) -> Fault:
    try:
        return read_fault(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    sys.exit(main())
