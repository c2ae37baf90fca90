"""``python -m pennyworth.demo.tied MODULE ARGUMENTS``: runs a module that ends at the latest when whoever started it does.

The standard input is the tie: its other end closes with the starter, however that one dies.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def main() -> None:
    threading.Thread(target=_end_with_input, daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _end_with_input() -> None:
    while os.read(sys.stdin.fileno(), 1024):  # not the buffered reader: its lock would stand in the way of an exit
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
