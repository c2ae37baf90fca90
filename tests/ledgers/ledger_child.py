"""Processes to be killed. Reads ``write FOLDER WORKER`` or ``fold FOLDER LEDGER`` a line, forks for each, and says on its
standard output ``pid N`` when the fork begins, what the fork acknowledges, and ``dead`` when it is gone.

One process that has everything imported and forks is quick enough to be killed a hundred times.
"""

import os
import signal
import sys

from pennyworth.ledgers.folder import JournalFolder
from pennyworth.ledgers.journal import FileJournal
from pennyworth.ledgers.sqlite import SqliteLedger
from pennyworth.testing.contract_ledger import NOON_S, intent, paid


def say(line: str) -> None:
    os.write(1, line.encode() + b"\n")


def write(folder: str, worker: str) -> None:
    """Every third call stays in flight for good."""
    journal = FileJournal(folder, worker, rotate_bytes=8000)
    number = 0
    while True:
        record_id, at_s = f"{worker}-{number}", NOON_S + 60 * number
        journal.append(intent(record_id, at_s, pico=number))
        say(f"intent {record_id}")
        if number % 3:
            journal.append(paid(record_id, at_s, pico=2 * number))
            say(f"receipt {record_id}")
        number += 1


def fold(folder: str, ledger: str) -> None:
    JournalFolder(folder, SqliteLedger(ledger, busy_s=30), on_trouble=say).flush()
    say("folded")


def main() -> None:
    for line in sys.stdin:
        what, *arguments = line.split()
        pid = os.fork()
        if pid == 0:
            say(f"pid {os.getpid()}")
            {"write": write, "fold": fold}[what](*arguments)
            signal.pause()  # a child that has finished stays there to be killed, so that its number is not reused
        os.waitpid(pid, 0)
        say("dead")


main()
