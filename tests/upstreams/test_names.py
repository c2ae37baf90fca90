"""Addresses of hosts, by the system's own resolver."""

from __future__ import annotations

import asyncio
import socket

import pytest

from pennyworth.upstreams.names import Names


async def test_a_host_is_asked_for_once_and_its_addresses_take_turns():
    names = Names()
    first, second = await asyncio.gather(*[names.addresses("localhost", 80) for _ in range(2)])
    assert sorted(first) == sorted(second)
    assert {row[4][1] for row in first} == {80}
    assert len(first) == 1 or first[0] != second[0]
    assert len(names) == 1


async def test_a_name_that_is_unknown_is_asked_for_again():
    names = Names()
    for _ in range(2):
        with pytest.raises(socket.gaierror):
            await names.addresses("no-such-host.invalid", 80)
        assert len(names) == 0


async def test_one_who_leaves_takes_the_answer_from_nobody():
    names = Names()
    leaving, staying = (asyncio.ensure_future(names.addresses("localhost", 80)) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying
    names.forget("localhost", 80)
    assert len(names) == 0


async def test_however_many_hosts_there_are_few_are_remembered():
    names = Names()
    for number in range(300):
        await names.addresses("127.0.0.1", number)
    assert 0 < len(names) <= 256
