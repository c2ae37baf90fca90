"""Each kind of value: what it reads, and what it says of what it cannot read."""

from decimal import Decimal

import pytest

from pennyworth.config.addresses import BASE_URL, HEADERS, HOST, is_loopback
from pennyworth.config.amounts import DOLLARS, DURATION, SIZE, SWITCH, show_duration, show_size, show_switch
from pennyworth.config.credentials import SECRET, VARIABLE
from pennyworth.config.kinds import FLAG, NAME, PATTERNS, PORT, TEXT, TEXTS
from pennyworth.config.problems import UnusableError
from pennyworth.plan import Switch
from pennyworth.secret import Secret

READ = [
    (DURATION, 90, 90.0),
    (DURATION, Decimal("0.5"), 0.5),
    (DURATION, 0, 0.0),
    (DURATION, "500ms", 0.5),
    (DURATION, "90s", 90.0),
    (DURATION, "5m", 300.0),
    (DURATION, "1.5 h", 5400.0),
    (DURATION, "24h", 86400.0),
    (DURATION, "7d", 604800.0),
    (DURATION, "2w", 1209600.0),
    (DURATION, "30", 30.0),
    (SIZE, 1048576, 1048576),
    (SIZE, "64MB", 64 * 10**6),
    (SIZE, "64MiB", 64 * 2**20),
    (SIZE, "64 kb", 64000),
    (SIZE, "1.5GiB", 3 * 2**29),
    (SIZE, "512", 512),
    (SWITCH, "on", Switch(100.0)),
    (SWITCH, "off", Switch(0.0)),
    (SWITCH, 25, Switch(25.0)),
    (SWITCH, Decimal("0.1"), Switch(0.1)),
    (DOLLARS, "0.15", Decimal("0.15")),
    (DOLLARS, Decimal("2.50"), Decimal("2.5")),
    (DOLLARS, 0, Decimal(0)),
    (DOLLARS, "10", Decimal(10)),
    (FLAG, True, True),
    (PORT, 0, 0),
    (NAME, "gpt-4.1_a", "gpt-4.1_a"),
    (TEXTS, [], ()),
    (PATTERNS, ["gpt-*", "*/*"], ("gpt-*", "*/*")),
    (HOST, "::1", "::1"),
    (HOST, "gateway.internal", "gateway.internal"),
    (BASE_URL, "https://API.openai.com/v1/", "https://api.openai.com/v1"),
    (BASE_URL, "http://[::1]:8000/v1", "http://[::1]:8000/v1"),
    (BASE_URL, "https://host", "https://host"),
    (HEADERS, {"X-Team": "search"}, (("x-team", "search"),)),
    (VARIABLE, "OPENAI_API_KEY", "OPENAI_API_KEY"),
    (SECRET, " sk-abc\n", Secret("sk-abc")),
]


@pytest.mark.parametrize(("kind", "value", "read"), READ)
def test_a_value_is_read(kind, value, read):
    assert kind.read(value) == read


REFUSED = [
    (DURATION, "soon", "'soon' is not a duration", '"5m"'),
    (DURATION, "5x", "'5x' is not a duration", '"5m"'),
    (DURATION, True, "true is not a duration", '"5m"'),
    (DURATION, Decimal("NaN"), "NaN is not a duration", '"5m"'),
    (DURATION, -1, "-1 is out of range", "ten years"),
    (DURATION, Decimal("1e999999"), "out of range", "ten years"),
    (SIZE, "lots", "'lots' is not a size", '"512MB"'),
    (SIZE, 0, "0 is out of range", "1 byte"),
    pytest.param(SIZE, 10**5000, "a very large number is out of range", "1 byte", id="a size beyond printing"),
    (SIZE, [1], "a list is not a size", '"512MB"'),
    (SWITCH, 101, "101 is not a switch", "0 to 100"),
    (SWITCH, True, "true is not a switch", '"on"'),
    (SWITCH, "25%", "'25%' is not a switch", "0 to 100"),
    (DOLLARS, "cheap", "'cheap' is not an amount", '"0.15"'),
    (DOLLARS, "-1", "'-1' is not an amount", '"0.15"'),
    (DOLLARS, "1e99999999999999999999", "is not an amount", '"0.15"'),
    (DOLLARS, 0.15, "0.15 is not an amount", "in quotes"),
    (FLAG, "true", "'true' is neither", "without quotes"),
    (FLAG, 1, "1 is neither", "true or false"),
    (PORT, 65536, "65536 is not a whole number from 0 to 65535", "Use one in that range"),
    (PORT, True, "true is not a whole number", "range"),
    (NAME, "a/b", "'a/b' is not a name", "letters"),
    (TEXT, "  ", "the text is empty", "leave the key out"),
    (TEXT, "a\nb", "cannot be printed", "line breaks"),
    (TEXT, 5, "5 is not a text", "quotes"),
    (TEXTS, "one", "'one' is not a list", '["one", "two"]'),
    (PATTERNS, [], "the list is empty", "leave the key out"),
    (PATTERNS, ["gpt-[45]"], "'gpt-[45]' is not a pattern", "Use *"),
    (PATTERNS, ["gpt-?"], "'gpt-?' is not a pattern", "nothing else is special"),
    (HOST, "127.0.0.1:80", "'127.0.0.1:80' is not a host", "without port"),
    (HOST, "a b", "'a b' is not a host", "127.0.0.1"),
    (BASE_URL, "ftp://host/v1", "'ftp://host/v1' is not an http(s) address", "https://api.openai.com/v1"),
    (BASE_URL, "api.openai.com/v1", "'api.openai.com/v1' is not an http(s) address", "https://"),
    (BASE_URL, "https://host:99999/v1", "is not an http(s) address", "https://"),
    (BASE_URL, "https://[::1/v1", "is not an http(s) address", "https://"),
    (BASE_URL, "https:///v1", "is not an http(s) address", "https://"),
    (BASE_URL, "https://ho st/v1", "is not an http(s) address", "https://"),
    (BASE_URL, "https://me:pw@host/v1", "holds a user name or password", "key_env"),
    (BASE_URL, "https://host/v1?key=abc", "holds a query", "Remove"),
    (BASE_URL, "https://host/v1#x", "holds a query or a fragment", "Remove"),
    (BASE_URL, "https://host/v1/chat/completions", "is the address of one call", "Stop after the version"),
    (HEADERS, {"Authorization": "Bearer x"}, "'authorization' carries a credential", "key_env"),
    (HEADERS, {"host": "x"}, "'host' is set by the gateway", "Remove it"),
    (HEADERS, {"x y": "z"}, "'x y' is not the name of a header", "x-team"),
    (HEADERS, {"x-a": "b\r\nx-c: d"}, "'x-a' is not plain text", "one line"),
    (HEADERS, {"x-a": "sk-secret"}, "resembles a credential", "key_env"),
    (VARIABLE, "sk-proj-abc", "(not shown) is not the name of an environment variable", "OPENAI_API_KEY"),
    (VARIABLE, "gsk_abc123", "(not shown) is not the name of an environment variable", "capitals"),
    (SECRET, "Bearer sk-abc", "begins with 'Bearer'", "the key alone"),
    (SECRET, "sk abc", "holds a space", "Copy the key again"),
    (SECRET, "schlüssel", "no header can carry", "Copy the key again"),
    (SECRET, 5, "(not shown) is not a key", "quotes"),
]


@pytest.mark.parametrize(("kind", "value", "problem", "fix"), REFUSED)
def test_a_value_that_cannot_be_used_is_refused_with_its_fix(kind, value, problem, fix):
    with pytest.raises(UnusableError) as refusal:
        kind.read(value)
    assert problem in refusal.value.problem
    assert fix in refusal.value.fix


@pytest.mark.parametrize("secret", ["sk-proj-a b", "gsk_abc 1", "Bearer sk-abc", "AIzaSy 0", "a1" * 20 + "="])
@pytest.mark.parametrize("kind", [VARIABLE, NAME, FLAG, PORT, DURATION, SIZE, SWITCH, DOLLARS, TEXTS, HOST, BASE_URL])
def test_a_refusal_does_not_repeat_what_resembles_a_credential(kind, secret):
    with pytest.raises(UnusableError) as refusal:
        kind.read(secret)
    assert secret not in refusal.value.problem + refusal.value.fix


SHOWN = [
    (show_duration, 86400.0 * 7, "7d"),
    (show_duration, 5400.0, "90m"),
    (show_duration, 25.0, "25s"),
    (show_duration, 0.05, "50ms"),
    (show_duration, 0.0, "0s"),
    (show_size, 64 * 2**20, "64MiB"),
    (show_size, 32 * 10**6, "32MB"),
    (show_size, 999, "999 bytes"),
    (show_switch, Switch(0.0), "off"),
    (show_switch, Switch(12.5), "12.5 %"),
]


@pytest.mark.parametrize(("show", "value", "text"), SHOWN)
def test_amounts_are_shown_in_their_plainest_unit(show, value, text):
    assert show(value) == text


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.8.7", "::1", "localhost", "LOCALHOST"])
def test_addresses_of_this_machine_alone_are_loopback(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "localhost.example.com", "127.0.0.1.example.com"])
def test_other_addresses_are_not(host):
    assert not is_loopback(host)
