"""``pennyworth reload`` against a running gateway: what changed, why not, and where it looks."""

import re
import select
import subprocess

import pytest

from .conftest import ENV, PROGRAM

KEY = "admin-key-0123456789"


@pytest.fixture
def served(tmp_path):
    """``pennyworth serve`` by a file, on an admin port that the file does not say; its URL."""
    (tmp_path / "p.toml").write_text("[limits]\ndrain = '5s'\n")
    process = subprocess.Popen(
        [PROGRAM, "serve", "--port", "0", "--admin-port", "0", "--config", "p.toml"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=tmp_path,
        env={name: value for name, value in ENV.items() if not name.endswith("_API_KEY")}
        | {"PENNYWORTH_ADMIN_KEY": KEY},
    )
    try:
        ready, _, _ = select.select([process.stdout], [], [], 60)
        assert ready
        process.stdout.readline()
        yield re.search(r"Admin port: (\S+)", process.stdout.readline())[1]
    finally:
        process.terminate()
        process.communicate(timeout=40)


@pytest.fixture
def with_key(monkeypatch, command):
    def call(*argv):
        monkeypatch.setenv("PENNYWORTH_ADMIN_KEY", KEY)
        return command(*argv)

    return call


def test_it_says_what_changed_and_what_did_not_work(served, with_key, command, tmp_path):
    file = tmp_path / "p.toml"
    file.write_text("[limits]\ndrain = '1s'\n")
    done = with_key("reload", "--admin", served)
    assert done.code == 0, done.err
    assert "in force in 1 of 1 worker(s)" in done.out
    assert "limits.drain: 5s → 1s" in done.out
    assert with_key("reload", "--admin", served, "--json").json["changes"] == []
    file.write_text("[limits]\ndrain = 'soon'\nmax_depth = 1\n[listen]\nworkers = 0\n")
    refused = with_key("reload", "--config", "p.toml", "--admin", served)
    assert refused.code == 2
    assert "3 things are wrong in the configuration" in refused.err
    assert "the old configuration stays in force" in refused.err
    assert all(key in refused.err for key in ("limits.drain", "limits.max_depth", "listen.workers"))
    file.write_text("[listen]\nport = 9\n")
    assert with_key("reload", "--admin", served).code == 0, "--port wins over the file, as at the start"


def test_a_wrong_key_no_gateway_and_no_url_are_said_in_words(served, command, with_key, tmp_path):
    locked = command("reload", "--admin", served)
    assert (locked.code, "PENNYWORTH_ADMIN_KEY" in locked.err) == (1, True)
    assert KEY not in locked.err
    absent = with_key("reload", "--admin", "http://127.0.0.1:9")
    assert absent.code == 3
    assert "No gateway answers at http://127.0.0.1:9" in absent.err
    assert with_key("reload", "--admin", "localhost").code == 2
    (tmp_path / "p.toml").write_text("[admin]\nport = 0\n")
    assert "--admin" in with_key("reload", "--config", "p.toml").err
