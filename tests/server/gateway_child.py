"""A gateway as a process, for tests that kill or stop one: the environment configures it, ``TEST_SANDBOX`` is its provider."""

import os
import sys

from pennyworth.config import load, with_sandbox
from pennyworth.server.run import run

if __name__ == "__main__":
    plan = load(None, os.environ)
    url = os.environ.get("TEST_SANDBOX")
    sys.exit(run(with_sandbox(plan, url) if url else plan, lambda line: print(line, flush=True)))
