"""Who shares answers with whom: no two kinds of sharing can ever come to the same scope."""

from __future__ import annotations

from itertools import combinations
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pennyworth.clients import Share
from pennyworth.decide.cacheable import verdict
from pennyworth.decide.scope import CONVERSATION_HEADER, caller_of, narrowed
from pennyworth.mac import Mac
from pennyworth.plan import Route
from pennyworth.request import Caller
from pennyworth.wire.asking import USER_HEADER
from pennyworth.wire.chat.request import read_request

SEAL = Mac(b"k" * 32)
BODY = b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]%b}'


@pytest.mark.parametrize(
    ("share", "scope"),
    [
        ("scope", "search"),
        ("global", "global:"),
        ("team", "team:t"),
        ("key", "key:alice"),
        ("user", "key:alice"),
        ("conversation", "key:alice"),
    ],
)
def test_a_key_shares_as_it_was_told(share: Share, scope: str):
    caller = caller_of("alice", "t", share, "search")
    assert (caller.scope, caller.client, caller.team) == (scope, "alice", "t")
    assert caller.narrow == (share if share in ("user", "conversation") else "")


names = st.text("abk:.-", min_size=1, max_size=4)
key_names = st.text("ab.-", min_size=1, max_size=3)
named_scopes = names | st.builds(
    "{}{}".format, st.sampled_from(["scope:", "global:", "team:", "key:", "user:", "credential:"]), names | st.just("")
)
people = st.text("ab:1\0", max_size=4)


def scope_of(share: Share, key: str, team: str, scope: str, user: str, conversation: str) -> str | None:
    """The scope of a request, ``None`` where it is shared with nobody."""
    headers = {USER_HEADER: user, CONVERSATION_HEADER: conversation}
    request = read_request(BODY % b"", headers, caller_of(key, team, share, scope))
    if request.caller.narrow:
        request = narrowed(request, headers, SEAL)
    return None if request.unkeyed else request.caller.scope


def owner_of(share: Share, key: str, team: str, scope: str, user: str, conversation: str) -> tuple[str, ...]:
    """With whom it is meant to be shared."""
    return {
        "scope": ("scope", scope),
        "global": ("global",),
        "team": ("team", team),
        "key": ("key", key),
        "user": ("user", key, user),
        "conversation": ("conversation", key, user, conversation),
    }[share]


askers = st.tuples(st.sampled_from(get_args(Share)), key_names, key_names, named_scopes, people, people)


@given(st.lists(askers, min_size=2, max_size=8))
def test_two_requests_share_a_scope_only_if_they_are_meant_to(asked):
    for one, other in combinations(asked, 2):
        mine, theirs = scope_of(*one), scope_of(*other)
        if mine is not None and theirs is not None:
            assert (mine == theirs) == (owner_of(*one) == owner_of(*other))


def test_a_named_scope_stays_as_it_was_before_there_were_other_kinds():
    assert caller_of("alice", "", "scope", "alice") == Caller("alice", client="alice")
    assert caller_of("alice", "", "scope", "team:search").scope == "scope:team:search"


@pytest.mark.parametrize("share", ["user", "conversation"])
def test_a_request_that_does_not_say_whose_it_is_is_neither_answered_from_kept_answers_nor_kept(share: Share):
    request = narrowed(read_request(BODY % b"", {}, caller_of("alice", "", share, "")), {}, SEAL)
    said = verdict(request, Route(), True)
    assert (said.look, said.keep, said.share) == (False, False, False)
    assert f"shares answers within one {'end user' if share == 'user' else 'conversation'}" in said.reason


def test_an_end_user_stands_in_a_scope_as_a_keyed_hash_only():
    body = BODY % b', "user": "bob@example.com"'
    caller = caller_of("alice", "", "user", "")
    request = narrowed(read_request(body, {USER_HEADER: "somebody else"}, caller), {}, SEAL)
    assert request.caller.scope.startswith("user:alice:")
    assert len(request.caller.scope.rpartition(":")[2]) == 32
    assert "bob" not in request.caller.scope
    other = narrowed(read_request(body, {}, caller), {}, Mac(b"j" * 32))
    assert other.caller.scope != request.caller.scope


def test_the_body_names_the_end_user_before_the_header_does():
    for user, named in ((b"", "from-header"), (b', "user": ""', "from-header"), (b', "user": "body"', "body")):
        request = read_request(BODY % user, {USER_HEADER: "from-header"}, Caller("s"))
        assert request.end_user == named


def test_an_end_user_and_a_conversation_cannot_be_cut_in_another_place():
    one = scope_of("conversation", "a", "", "s", "ann:", "b")
    other = scope_of("conversation", "a", "", "s", "ann", ":b")
    assert one is not None
    assert one != other
