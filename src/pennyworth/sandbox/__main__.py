"""``python -m pennyworth.sandbox``: a sandbox as a process of its own. With ``--tied`` its settings come as one line of
JSON on the standard input, and it ends when that input ends, so that it cannot outlive whoever started it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading

import msgspec

from pennyworth.sandbox.serve import address, bind, serve_on
from pennyworth.sandbox.settings import Settings


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m pennyworth.sandbox", description="A simulated provider.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--tied", action="store_true", help="settings from standard input, end with it")
    asked = parser.parse_args()
    settings = Settings()
    if asked.tied:
        settings = msgspec.json.decode(sys.stdin.buffer.readline(), type=Settings)
        threading.Thread(target=_end_with_input, daemon=True).start()
    listener = bind(asked.host, asked.port)
    print(address(listener), flush=True)
    serve_on(listener, settings)


def _end_with_input() -> None:
    while os.read(sys.stdin.fileno(), 1024):  # not the buffered reader: its lock would stand in the way of an exit
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
