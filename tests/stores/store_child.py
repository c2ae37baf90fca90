"""Another process on the same files, for the tests: reads a command a line, answers a line.

With ``obedient`` among its arguments it gives up root's right to write what is read-only.
"""

import asyncio
import ctypes
import os
import resource
import struct
import sys
from pathlib import Path

import msgspec

from pennyworth.errors import PennyworthError
from pennyworth.stores.control import SqliteControl
from pennyworth.stores.memory import MemoryStore
from pennyworth.stores.sqlite import SqliteStore
from pennyworth.stores.tiered import TieredStore
from pennyworth.testing.entries import NOW_S, kept, key_of
from pennyworth.view import Control


def purge_all(row: Control) -> Control:
    return msgspec.structs.replace(row, epoch=row.epoch + 1, purges={"all:": row.epoch + 1})


def give_up_capabilities() -> None:
    """capset(2), version 3, this process, none: Linux then asks root for permission like anybody else."""
    header, none = struct.pack("Ii", 0x20080522, 0), struct.pack("6I", *[0] * 6)
    assert ctypes.CDLL(None, use_errno=True).capset(header, none) == 0


async def obey(store: TieredStore, deep: SqliteStore, control: SqliteControl, words: list[str]) -> str:
    match words:
        case ["put", name, size]:
            await store.put(kept(name, int(size), asked_epoch=control.read().epoch))
            return "put"
        case ["get", name]:
            found = await store.get(key_of(name), NOW_S)
            if found is None or control.read().kills(found.answer, found.key.hex()):
                return "none"
            return "right" if found.answer.raw == kept(name, len(found.answer.raw)).answer.raw else "wrong"
        case ["purge"]:
            return f"epoch {control.change(purge_all).epoch}"
        case ["sweep"]:
            return f"swept {await store.sweep(control.read(), NOW_S)}"
        case ["settle"]:
            await deep.sweep(Control(), NOW_S)
            return "settled"
        case ["limit", size]:
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(size), resource.RLIM_INFINITY))
            return "limited"
        case ["usage"]:
            usage = store.usage()
            return f"entries {usage.entries} bytes {usage.bytes} trouble {deep.trouble} dropped {deep.dropped}"
    raise ValueError(words)


async def main(folder: Path, entries: int) -> None:
    if "obedient" in sys.argv and os.getuid() == 0:
        give_up_capabilities()
    deep = SqliteStore(
        folder / "cache.db", b"secret", entries, 10**8, on_trouble=lambda told: print(told, file=sys.stderr)
    )
    store = TieredStore(MemoryStore(10, 10**6), deep, slow_s=1.0)
    (folder / "shared").mkdir(exist_ok=True)
    control = SqliteControl(folder / "shared" / "control.db")
    for line in sys.stdin:
        try:
            answer = await obey(store, deep, control, line.split())
        except PennyworthError as error:
            answer = f"{type(error).__name__} {error}"
        print(answer, flush=True)
    await store.close()
    control.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
