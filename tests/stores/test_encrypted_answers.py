"""Answers encrypted at rest: the store's whole contract, and what a thief of the file can and cannot read."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.outcome import Kept
from pennyworth.stores.aes import AesCover
from pennyworth.stores.cover import Cover, Marks
from pennyworth.stores.erasing import AnswersErased
from pennyworth.stores.sqlite import SqliteStore
from pennyworth.testing.contract_store import StoreContract
from pennyworth.testing.entries import NOW_S, kept, key_of
from pennyworth.view import Control
from pennyworth.whom import Whom

SECRET = b"a secret of thirty-two bytes....."
SALT = bytes(range(32))


def cover(secret: bytes = SECRET) -> AesCover:
    return AesCover(secret, Marks(secret))


def store_in(folder: Path, covered: Cover | None, secret: bytes = SECRET) -> SqliteStore:
    return SqliteStore(folder / "answers.db", secret, 1_000, 10**7, cover=covered)


class TestEncryptedStore(StoreContract):
    shares = True

    def make_store(self, folder: Path, max_entries: int = 1_000, max_bytes: int = 10_000_000) -> SqliteStore:
        return SqliteStore(folder / "cache.db", SECRET, max_entries, max_bytes, cover=cover())


CANARIES = {
    "raw": b"canary-raw-1",
    "scope": "canary-scope-2",
    "model": "canary-model-3",
    "target": "canary/target-4",
    "route": "canary-route-5",
    "client": "canary-client-6",
    "end_user": "canary-user-7",
    "tags": ("canary-tag-8", "canary-größe-9"),
    "kind": "canary-kind-a",
    "revision": "canary-revision-b",
}


def put(folder: Path, covered: Cover | None, *entries: Kept) -> None:
    async def run() -> None:
        store = store_in(folder, covered)
        for entry in entries:
            await store.put(entry)
        await store.close()

    asyncio.run(run())


def got(folder: Path, covered: Cover | None, *names: str, secret: bytes = SECRET) -> list[Kept | None]:
    async def run() -> list[Kept | None]:
        store = store_in(folder, covered, secret)
        found = [await store.get(key_of(name), NOW_S) for name in names]
        await store.close()
        return found

    return asyncio.run(run())


def all_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


def test_nothing_of_an_answer_stands_in_clear_in_the_files(tmp_path: Path) -> None:
    told = kept("q", **CANARIES)
    put(tmp_path, None, told)
    assert all_bytes(tmp_path).count(b"canary") >= len(CANARIES)
    for path in tmp_path.iterdir():
        path.unlink()
    put(tmp_path, cover(), told)
    assert b"canary" not in all_bytes(tmp_path)
    assert "größe".encode() not in all_bytes(tmp_path)
    assert got(tmp_path, cover(), "q") == [told]


def test_another_secret_opens_nothing(tmp_path: Path) -> None:
    put(tmp_path, cover(), kept("q"))
    assert got(tmp_path, cover(b"another"), "q", secret=b"another") == [None]
    assert got(tmp_path, AesCover(b"another", Marks(SECRET)), "q") == [None]


def test_rows_from_before_are_read_on_and_rows_from_while_it_was_on_are_a_miss_when_it_is_off(tmp_path: Path) -> None:
    before, after = kept("before"), kept("after")
    put(tmp_path, None, before)
    put(tmp_path, cover(), after)
    assert got(tmp_path, cover(), "before", "after") == [before, after]
    assert got(tmp_path, None, "before", "after") == [before, None]


@pytest.mark.parametrize("purge", ["all:", "model:small", "scope:team-a", "tag:faq", "client:shop", "user:ab12"])
@pytest.mark.parametrize("on", [True, False])
def test_a_purge_finds_rows_of_both_kinds(tmp_path: Path, purge: str, on: bool) -> None:
    whose = {"tags": ("faq",), "client": "shop", "end_user": "ab12"}
    others = {"model": "large", "scope": "team-b"}
    put(tmp_path, None, kept("before", **whose), kept("other before", **others))
    put(tmp_path, cover(), kept("after", **whose), kept("other after", **others))

    async def sweep() -> int:
        store = store_in(tmp_path, cover() if on else None)
        swept = await store.sweep(Control(version=1, epoch=6, purges={purge: 6}), NOW_S)
        await store.close()
        return swept

    assert asyncio.run(sweep()) == (4 if purge == "all:" else 2)


def test_several_keys_of_one_answer_open_it_still_when_one_is_put_again(tmp_path: Path) -> None:
    one = kept("one")
    other = msgspec.structs.replace(one, key=key_of("other"))
    put(tmp_path, cover(), one, other)
    renewed = msgspec.structs.replace(one, expires_s=NOW_S + 1_000)
    put(tmp_path, cover(), renewed)
    assert got(tmp_path, cover(), "one", "other") == [renewed, other]


def test_a_scope_that_was_forgotten_cannot_be_read_from_a_copy_of_the_rows_made_before(tmp_path: Path) -> None:
    """The salt is what the copy of an old page does not help with: its key cannot be made again."""
    folder, copy = tmp_path / "state", tmp_path / "copy"
    folder.mkdir()
    put(folder, cover(), kept("gone", scope="team-a"), kept("stays", scope="team-b"))
    shutil.copytree(folder, copy)
    AnswersErased(folder / "answers.db", Marks(SECRET)).forget(Whom(by="scope", value="team-a"))
    salts = sqlite3.connect(folder / "answers.db").execute("SELECT scope, salt FROM salts").fetchall()
    assert [mark for mark, _ in salts] == [Marks(SECRET)("scope", "team-b")]
    thief = sqlite3.connect(copy / "answers.db")
    thief.execute("DELETE FROM salts")
    thief.executemany("INSERT INTO salts VALUES (?, ?)", salts)
    thief.commit()
    thief.close()
    found = got(copy, cover(), "gone", "stays")
    assert (found[0], found[1] is not None) == (None, True)


def test_after_its_scope_was_forgotten_the_next_answer_has_another_key(tmp_path: Path) -> None:
    put(tmp_path, cover(), kept("q", scope="team-a"))
    AnswersErased(tmp_path / "answers.db", Marks(SECRET)).forget(Whom(by="scope", value="team-a"))
    again = kept("q", scope="team-a")
    put(tmp_path, cover(), again)
    assert got(tmp_path, cover(), "q") == [again]


@given(body=st.binary(max_size=5_000), scope=st.text(max_size=20))
def test_what_was_closed_opens_to_the_same_and_is_the_same_row_again(body: bytes, scope: str) -> None:
    shut = cover()
    mark = shut.name("scope", scope)
    closed = shut.close(scope, body, {mark: SALT})
    assert shut.open(mark, SALT, closed) == body
    assert shut.close(scope, body, {mark: SALT}) == cover().close(scope, body, {mark: SALT}) == closed
    assert len(body) < 8 or body not in closed
    assert shut.open(mark, bytes(32), closed) is None
    assert shut.open(mark, None, closed) is None
    assert shut.open(shut.name("scope", scope + "x"), SALT, closed) is None


@given(body=st.binary(min_size=1, max_size=300), data=st.data())
def test_a_flipped_bit_or_a_cut_is_never_opened(body: bytes, data: st.DataObject) -> None:
    shut = cover()
    mark = shut.name("scope", "a")
    closed = bytearray(shut.close("a", body, {mark: SALT}))
    assert shut.open(mark, SALT, bytes(closed[: data.draw(st.integers(1, len(closed) - 1))])) is None
    place = data.draw(st.integers(1, len(closed) - 1))
    closed[place] ^= 1 << data.draw(st.integers(0, 7))
    assert shut.open(mark, SALT, bytes(closed)) is None


def test_without_the_cryptography_package_the_error_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "pennyworth.toml").write_text(f'state_dir = "{tmp_path}"\n[cache]\nencrypt = true\n')
    script = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from pennyworth.cli.main import run\n"
        f"sys.exit(run(['purge', '--all', '--config', '{tmp_path}/pennyworth.toml']))"
    )
    (tmp_path / "ledger.db").touch()
    put(tmp_path, None, kept("q"))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "cache.encrypt" in done.stderr
    assert "pip install 'pennyworth[encrypt]'" in done.stderr


def test_the_package_is_not_imported_where_nothing_is_encrypted() -> None:
    script = "import sys, pennyworth.assemble; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
