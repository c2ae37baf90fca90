"""A gateway as a process, for tests that kill or stop one: the environment configures it, ``TEST_SANDBOX`` is its provider."""

import os
import sys

from pennyworth.config import Source, with_sandbox
from pennyworth.plan import Plan
from pennyworth.server.run import run

if __name__ == "__main__":
    source, url = Source(os.environ), os.environ.get("TEST_SANDBOX")

    def read() -> Plan:
        return with_sandbox(source.read(), url) if url else source.read()

    sys.exit(run(read(), lambda line: print(line, flush=True), read))
