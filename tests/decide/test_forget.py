"""What is left of a record when somebody is forgotten."""

import msgspec
import pytest
from tests.door.raw import question

from pennyworth.decide import forget, invalidate
from pennyworth.decide.scope import narrowed
from pennyworth.ledgers.lines import to_line
from pennyworth.mac import Mac
from pennyworth.request import Caller
from pennyworth.testing.contract_ledger import intent, paid
from pennyworth.view import Control
from pennyworth.whom import Whom
from pennyworth.wire.chat.request import read_request

USER, KEY, SCOPE = Whom(by="user", value="ab12"), Whom(by="client", value="shop"), Whom(by="scope", value="team-a")


def narrow_scope(share: str) -> str:
    """As the door makes it for a key that shares within an end user or a conversation only."""
    caller = Caller("key:shop", client="shop", narrow=share)
    request = read_request(question(user="alice"), {"x-pennyworth-conversation": "c1"}, caller)
    return narrowed(request, {"x-pennyworth-conversation": "c1"}, Mac(b"x")).caller.scope


@pytest.mark.parametrize("share", ["user", "conversation"])
def test_a_scope_that_stands_for_an_end_user_is_widened_when_he_goes(share):
    scope = narrow_scope(share)
    assert len(scope.removeprefix(f"{share}:shop:")) == 32
    told = paid("r", scope=scope, client="shop", end_user="ab12")
    assert forget.emptied(told, USER).scope == f"{share}:shop:"
    assert forget.emptied(told, USER).client == "shop"


@pytest.mark.parametrize(
    ("scope", "left"),
    [("key:shop", ""), ("shop", ""), (narrow_scope("user"), ""), ("team-a", "team-a"), ("key:shopper", "key:shopper")],
)
def test_a_scope_that_names_a_key_goes_with_it(scope, left):
    told = paid("r", scope=scope, client="shop")
    assert (forget.emptied(told, KEY).scope, forget.emptied(told, KEY).client) == (left, "")


@pytest.mark.parametrize("whom", [USER, KEY, SCOPE], ids=lambda whom: whom.by)
def test_money_and_what_adds_up_stays(whom):
    told = paid("r", client="shop", end_user="ab12", tags=("t",), key="k", answer="a", team="t")
    left = forget.emptied(told, whom)
    for field in (
        "spent",
        "would_have_cost",
        "saved",
        "usage",
        "own",
        "at_s",
        "model",
        "route",
        "served",
        "ending",
        "team",
    ):
        assert getattr(left, field) == getattr(told, field)
    assert (left.end_user, left.tags, left.key, left.answer) == ("", (), "", "")
    assert forget.emptied(left, whom) == left
    assert len(to_line(left)) < len(to_line(told))


@pytest.mark.parametrize("whom", [USER, KEY, SCOPE], ids=lambda whom: whom.by)
def test_of_what_began_before_the_forgetting_nothing_of_them_is_written_and_of_the_rest_everything(whom):
    control = invalidate.forget(Control(epoch=6), whom.by, whom.value, 1.0)
    told = paid("r", scope="team-a", client="shop", end_user="ab12", tags=("t",))
    others = paid("r", scope="team-b", client="other", end_user="cd34", tags=("t",))
    assert forget.as_written(told, control, 6) == forget.emptied(told, whom)
    assert forget.as_written(told, control, 7) == told
    assert forget.as_written(others, control, 6) == others
    assert control.purges[whom.name] == control.forgotten[whom.name] == control.epoch == 7


def test_a_plain_purge_of_a_scope_leaves_receipts_alone():
    control = invalidate.purge(Control(), "scope", "team-a", 1.0)
    assert forget.as_written(paid("r"), control, 0) == paid("r")


def test_so_many_forgotten_that_their_names_had_to_make_room_are_still_not_written_down():
    control = Control()
    for number in range(invalidate.MOST_PURGES + 1):
        control = invalidate.forget(control, "user", f"{number:016x}", 1.0)
    assert len(control.forgotten) <= invalidate.MOST_PURGES
    first = paid("r", end_user=f"{0:016x}", tags=("t",))
    assert forget.as_written(first, control, 0).end_user == ""
    assert forget.as_written(first, control, control.epoch) == first


def test_an_intent_of_a_forgotten_key_names_nobody():
    control = invalidate.forget(Control(), "client", "shop", 1.0)
    open_ = msgspec.structs.replace(intent("i"), client="shop", scope="key:shop")
    assert (forget.as_written(open_, control, 0).client, forget.as_written(open_, control, 0).scope) == ("", "")
