"""Laws: whatever a file holds, it is a Plan or a ConfigError; and whatever is secret is told to nobody."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pennyworth.config import check, describe, interpret, with_sandbox
from pennyworth.config.schema import NAMED_TABLES, SECTIONS, TABLES_OF_ONE
from pennyworth.config.schema_routing import LAYERS, PRICE, SWITCHES
from pennyworth.errors import ConfigError
from pennyworth.plan import Plan

KEYS = sorted(
    {field.key for section in SECTIONS for field in section.fields} | {*NAMED_TABLES, *TABLES_OF_ONE, "routes"}
)
WORDS = [
    "on",
    "off",
    "5m",
    "64MiB",
    "*",
    "gpt-*",
    "openai",
    "own",
    "0.0.0.0",
    "127.0.0.1",
    "https://h/v1",
    "OPENAI_API_KEY",
    "a b",
    "(",
]

texts = st.one_of(st.sampled_from(WORDS), st.text(max_size=12))
scalars = st.one_of(
    texts,
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**4400, max_value=10**4401),
    st.decimals(allow_nan=True, allow_infinity=True),
    st.floats(),
    st.dates(),
    st.datetimes(),
    st.times(),
)
names = st.one_of(st.sampled_from(KEYS), texts)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4), max_leaves=12
)


INNER = {"price": PRICE, "switches": SWITCHES}


def table_of(section):
    """Tables with the section's own keys, so that the readers behind them are reached too."""
    keys = st.sampled_from([field.key for field in section.fields])
    within = {key: table_of(INNER[key]) for key in INNER if key in [field.key for field in section.fields]}
    return st.dictionaries(keys, values, max_size=5) | st.fixed_dictionaries({}, optional=within)


def document():
    parts = {"enabled": values, "state_dir": values, "default_lifetime": texts}
    for section in SECTIONS:
        name = section.heading.strip("[]").split(".")[0]
        table = table_of(section)
        if section.heading.startswith("[["):
            parts[name] = st.lists(table, max_size=3)
        elif name in NAMED_TABLES and section is not PRICE:
            parts[name] = st.dictionaries(st.sampled_from(["own", "openai", "code", "m.1", "*"]), table, max_size=3)
        elif name in TABLES_OF_ONE:
            parts[name] = table
    return st.fixed_dictionaries({}, optional=parts)


variables = st.dictionaries(
    st.sampled_from(["OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_ENDPOINT"])
    | st.sampled_from(
        ["PENNYWORTH_PORT", "PENNYWORTH_HOST", "PENNYWORTH_KEY", "PENNYWORTH_ENABLED", "PENNYWORTH_ADMIN_KEY"]
    ),
    texts,
    max_size=4,
)


def outcome(data, env) -> Plan | ConfigError:
    try:
        return interpret(data, env)
    except ConfigError as error:
        return error


@settings(max_examples=120, deadline=None)
@given(st.one_of(document(), st.dictionaries(names, values, max_size=5)), variables)
def test_any_document_is_a_plan_or_a_config_error(data, env):
    match outcome(data, env):
        case ConfigError() as error:
            errors = getattr(error, "errors", (error,))
            assert all(str(one).startswith(f"{one.key}: ") and str(one).isprintable() for one in errors)
        case plan:
            assert check(plan, env)
            assert describe(plan)


patterns = st.lists(st.sampled_from(["*", "gpt-*", "gpt-4*", "*-mini", "*/*", "m"]), min_size=1, max_size=3)
sound_providers = st.fixed_dictionaries(
    {"base_url": st.sampled_from(["https://h/v1", "http://127.0.0.1:1/v1", "http://h"])},
    optional={"models": patterns, "key_env": st.just("K"), "price_provider": st.just("openai")},
)
sound = st.fixed_dictionaries(
    {},
    optional={
        "enabled": st.booleans(),
        "providers": st.dictionaries(st.sampled_from(["openai", "own", "b"]), sound_providers, max_size=3),
        "models": st.dictionaries(st.sampled_from(["m", "gpt-4.1"]), st.just({"revision": "2"}), max_size=2),
        "routes": st.lists(st.fixed_dictionaries({"models": patterns}), max_size=4).map(
            lambda routes: [{"name": f"r{at}"} | route for at, route in enumerate(routes)]
        ),
        "lifetimes": st.fixed_dictionaries({"mine": st.just({"ttl": "5m", "patterns": ["x+"]})}),
        "switches": st.dictionaries(st.sampled_from(LAYERS), st.integers(0, 100), max_size=3),
        "cache": st.fixed_dictionaries({"max_bytes": st.sampled_from(["1kB", "1GB"])}),
    },
)


@settings(max_examples=30, deadline=None)
@given(sound, st.fixed_dictionaries({}, optional={"K": st.just("k"), "PENNYWORTH_KEY": st.sampled_from(["k", "l"])}))
def test_any_sound_document_can_be_checked_and_described(data, env):
    plan = interpret(data, env)
    assert interpret(data, env) == plan
    assert {finding.key for finding in check(plan, env)} >= {"state_dir"}
    assert len([row for row in describe(plan) if row.part == "provider"]) == len(data.get("providers", ()))


SECRETS = st.text("abcdefghijkmnpqrstuvwxyz23456789", min_size=12, max_size=24).map("zz-".__add__)


@settings(max_examples=30, deadline=None)
@given(SECRETS, SECRETS, SECRETS, SECRETS, st.sampled_from(["", "", "Bearer ", "two words "]), st.just(5) | values)
def test_no_secret_is_ever_told(provider, ours, admin, literal, spoiled, anything):
    env = {"OWN_KEY": spoiled + provider, "PENNYWORTH_KEY": ours, "PENNYWORTH_ADMIN_KEY": admin}
    data = {
        "providers": {
            "own": {"base_url": "https://h/v1", "key_env": "OWN_KEY"},
            "lit": {"base_url": f"https://me:{literal}@h/v1" if spoiled else "https://h/v1", "key": spoiled + literal},
        },
        "keys": {"team": {"key": literal}},
        "cache": {"max_bytes": anything},
    }
    told = _told(data, env)
    assert not [secret for secret in (provider, ours, admin, literal) if secret in told]


def _told(data, env) -> str:
    """All that anybody could read: the error, or the Plan as printed, described, checked and sent somewhere."""
    match outcome(data, env):
        case ConfigError() as error:
            return f"{error!s} {error!r} {error.__dict__!r} {error.__cause__!r} {error.__context__!r}"
        case found:
            plan = with_sandbox(found, "http://127.0.0.1:1/v1")
            return " ".join([repr(plan), plan.digest, *map(repr, describe(plan)), *map(repr, check(plan, env))])


@given(SECRETS, SECRETS)
def test_the_digest_is_the_same_for_every_secret(one, other):
    def digest(secret: str) -> str:
        data = {"providers": {"own": {"base_url": "https://h/v1", "key": secret}}, "keys": {"a": {"key": secret + "a"}}}
        return interpret(data, {"PENNYWORTH_ADMIN_KEY": secret + "b"}).digest

    assert digest(one) == digest(other)


@given(st.permutations(["cache", "limits", "log", "prices", "listen"]))
def test_the_order_of_sections_does_not_matter(order):
    tables = {
        "cache": {"max_entries": 5},
        "limits": {"drain": 5},
        "log": {"level": "error"},
        "prices": {"stale_after_days": 5},
        "listen": {"port": 5},
    }
    assert interpret({name: tables[name] for name in order}, {}) == interpret(tables, {})
