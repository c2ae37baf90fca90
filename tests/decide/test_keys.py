"""What becomes of virtual keys, and which secrets hold: rows, and laws over any run of changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.clients import KeySet, VirtualKey
from pennyworth.decide import keys
from pennyworth.decide.key import Keyring
from pennyworth.errors import RequestError

SEAL = keys.sealer(Keyring(b"s" * 32))
NOW = 1_800_000_000.0


def made(name: str = "alice", secret: str = "pw-first-secret", lives_s: float = 0.0) -> VirtualKey:
    return keys.made(keys.Wanted(name=name, scope=name, lives_s=lives_s), secret, SEAL, NOW)


def with_one(**more: float) -> KeySet:
    return keys.create(KeySet(), made(**more), ())


def holding(found: KeySet, name: str = "alice", after_s: float = 0.0) -> set[str]:
    return {seal for seal, _ in keys.holding(found.keys[name], NOW + after_s)}


def test_a_key_is_known_by_its_full_keyed_hash_and_shows_four_characters_of_its_secret():
    key = made()
    assert (len(key.seal), key.hint) == (64, "cret")
    assert key.seal != keys.sealer(Keyring(b"t" * 32))("pw-first-secret")
    assert "pw-first" not in repr(key)


def test_a_name_is_given_once_and_for_good():
    found = with_one()
    for taken, again in (((), found), ((), keys.revoke(found, "alice", NOW)), (("bob",), found)):
        with pytest.raises(RequestError, match="Choose another name") as refused:
            keys.create(again, made("bob" if taken else "alice"), taken)
        assert (refused.value.status, refused.value.code) == (409, "key_exists")


@pytest.mark.parametrize("change", [lambda found: keys.revoke(found, "bob", NOW), lambda found: _rotated(found, "bob")])
def test_a_key_that_is_not_there_is_said_to_be(change):
    with pytest.raises(RequestError, match="no virtual key named 'bob'") as refused:
        change(with_one())
    assert refused.value.status == 404


def _rotated(found: KeySet, name: str = "alice", secret: str = "pw-second", at_s: float = 0.0, grace_s: float = 0.0):
    return keys.rotate(found, name, secret, SEAL, NOW + at_s, grace_s)


def test_after_a_rotation_the_old_secret_ends_at_once_or_after_its_grace():
    assert holding(_rotated(with_one())) == {SEAL("pw-second")}
    graced = _rotated(with_one(), grace_s=60.0)
    assert holding(graced) == holding(graced, after_s=59.9) == {SEAL("pw-first-secret"), SEAL("pw-second")}
    assert holding(graced, after_s=60.0) == {SEAL("pw-second")}


def test_a_second_rotation_ends_the_grace_of_the_first():
    twice = _rotated(_rotated(with_one(), grace_s=3600.0), secret="pw-third", at_s=1.0, grace_s=60.0)
    assert holding(twice, after_s=1.0) == {SEAL("pw-second"), SEAL("pw-third")}


def test_grace_does_not_outlive_the_key():
    graced = _rotated(with_one(lives_s=10.0), grace_s=60.0)
    assert {until for _, until in keys.holding(graced.keys["alice"], NOW)} == {NOW + 10.0}
    assert holding(graced, after_s=10.0) == set()


def test_a_key_expires_by_itself_and_is_not_rotated_back_to_life():
    found = with_one(lives_s=10.0)
    assert holding(found, after_s=9.9)
    assert not holding(found, after_s=10.0)
    assert keys.state_of(found.keys["alice"], NOW + 10.0) == "expired"
    for dead, at_s in ((found, 10.0), (keys.revoke(found, "alice", NOW), 0.0)):
        with pytest.raises(RequestError, match="Make a new one"):
            _rotated(dead, at_s=at_s)


def test_a_revoked_key_holds_nothing_and_keeps_the_moment_it_was_first_revoked():
    graced = _rotated(with_one(), grace_s=3600.0)
    revoked = keys.revoke(keys.revoke(graced, "alice", NOW + 1.0), "alice", NOW + 2.0)
    assert holding(revoked) == set()
    assert revoked.keys["alice"].revoked_s == NOW + 1.0
    assert keys.state_of(revoked.keys["alice"], NOW) == "revoked"


changes = st.lists(
    st.tuples(
        st.sampled_from(["create", "rotate", "revoke"]),
        st.sampled_from(["a", "b"]),
        st.sampled_from([0.0, 5.0, 50.0]),
        st.sampled_from([0.0, 10.0]),
    ),
    max_size=12,
)


@given(changes)
def test_whatever_happens_a_key_holds_its_newest_secret_at_most_one_older_one_and_no_other_keys(run):
    found, secrets, now_s = KeySet(), {}, 0.0
    for number, (what, name, grace_s, wait_s) in enumerate(run):
        now_s += wait_s
        secret = f"pw-{name}-{number}"
        try:
            if what == "create":
                wanted = keys.Wanted(name=name, scope=name, lives_s=40.0 if grace_s else 0.0)
                found = keys.create(found, keys.made(wanted, secret, SEAL, now_s), ())
            elif what == "rotate":
                found = keys.rotate(found, name, secret, SEAL, now_s, grace_s)
            else:
                found = keys.revoke(found, name, now_s)
                continue
        except RequestError:
            continue
        secrets.setdefault(name, []).append(SEAL(secret))
    for name, key in found.keys.items():
        held = [seal for seal, until_s in keys.holding(key, now_s) if until_s > now_s]
        assert len(held) == len(list(keys.holding(key, now_s)))
        assert held == [seal for seal in reversed(secrets[name][-2:]) if seal in held]
        assert bool(held) == keys.in_force(key, now_s)
