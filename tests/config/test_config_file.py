"""From the text of a file to the Plan, or to an error that names the key, the value and the fix."""

from decimal import Decimal
from operator import attrgetter

import pytest

from pennyworth.config import ConfigErrors, load, problems
from pennyworth.decide.lifetime_rules import DEFAULT_LIFETIMES
from pennyworth.errors import ConfigError
from pennyworth.money import Price, Rate
from pennyworth.plan import OFF, ON, ModelSpec, Plan, Route, Switch
from pennyworth.secret import Secret


@pytest.fixture
def read(tmp_path):
    def read_text(text: str, **env: str) -> Plan:
        path = tmp_path / "pennyworth.toml"
        path.write_text(text, encoding="utf-8")
        return load(str(path), env)

    return read_text


@pytest.fixture
def refused(tmp_path):
    def errors_of(text: str, **env: str) -> list[ConfigError]:
        path = tmp_path / "pennyworth.toml"
        path.write_text(text, encoding="utf-8")
        return problems(str(path), env)

    return errors_of


OWN = '[providers.own]\nbase_url = "http://127.0.0.1:9000/v1"\n'
SHIPPED_CODE = next(lifetime for lifetime in DEFAULT_LIFETIMES if lifetime.name == "code")
SHIPPED_FACTUAL = next(lifetime for lifetime in DEFAULT_LIFETIMES if lifetime.name == "factual")


def lifetime(plan, name):
    return next(lifetime for lifetime in plan.lifetimes if lifetime.name == name)


PLANS = [
    ("", attrgetter("providers"), ()),
    ("", attrgetter("routes"), (Route(),)),
    ("", attrgetter("lifetimes"), DEFAULT_LIFETIMES),
    ("", attrgetter("allow_anonymous"), True),
    ("enabled = false", attrgetter("enabled"), False),
    ('state_dir = "/var/lib/pw"', attrgetter("state_dir"), "/var/lib/pw"),
    ('default_lifetime = "code"', attrgetter("default_lifetime"), "code"),
    ('[cache]\nmax_bytes = "512MB"', attrgetter("cache.max_bytes"), 512_000_000),
    ('[cache]\nage_cap = "7d"\nslow_after = 0.1', attrgetter("cache.age_cap_s", "cache.slow_s"), (604800.0, 0.1)),
    ('[cache]\nvary_headers = ["X-Team"]', attrgetter("cache.vary_headers"), ("x-team",)),
    ('[limits]\ndrain = "1m"\nmax_depth = 64', attrgetter("limits.drain_s", "limits.max_depth"), (60.0, 64)),
    ("[listen]\nport = 9090\nworkers = 4", attrgetter("listen.port", "listen.workers"), (9090, 4)),
    ("[admin]\nport = 9091", attrgetter("listen.admin_port"), 9091),
    ('[switches]\nexact = "off"\nnormalised = 25', attrgetter("switches"), {"exact": OFF, "normalised": Switch(25.0)}),
    ('[prices]\noverlay = "p.toml"', attrgetter("prices.overlay"), "p.toml"),
    ('[log]\nlevel = "DEBUG"', attrgetter("log_level"), "debug"),
    (OWN, lambda plan: plan.providers[0].base_url, "http://127.0.0.1:9000/v1"),
    (OWN, lambda plan: plan.providers[0].models, ("*",)),
    (OWN, lambda plan: (plan.providers[0].credential, plan.providers[0].key_source), (Secret(""), "")),
    (
        OWN + 'models = ["a-*"]\nidle_timeout = "2m"\nheaders = { "x-a" = "b" }',
        lambda plan: attrgetter("models", "idle_s", "headers")(plan.providers[0]),
        (("a-*",), 120.0, (("x-a", "b"),)),
    ),
    (
        '[models."m"]\nrevision = "2"\nname = "org/m"',
        attrgetter("models"),
        {"m": ModelSpec(name="m", revision="2", upstream_name="org/m")},
    ),
    (
        '[models.m]\nprice = { input = "0.15", output = 0.60, cached = "0.075", multiplier = "1.05" }',
        lambda plan: plan.models["m"].price,
        Price(
            input=Rate(Decimal("0.15")),
            output=Rate(Decimal("0.6")),
            cached=Rate(Decimal("0.075")),
            multiplier=Decimal("1.05"),
            source="configuration",
        ),
    ),
    (
        '[[routes]]\nname = "a"\nmodels = ["gpt-*"]\nstale_if_error = "5m"\nswitches = { exact = "on" }',
        attrgetter("routes"),
        (Route(name="a", models=("gpt-*",), stale_if_error_s=300.0, switches={"exact": ON}), Route()),
    ),
    (
        '[[routes]]\nname = "all"\nmodels = ["*"]\nsampled = true\nttl = 60',
        attrgetter("routes"),
        (Route(name="all", sampled=True, ttl_s=60.0),),
    ),
    (
        '[lifetimes.code]\nttl = "12h"',
        lambda plan: attrgetter("ttl_s", "max_s", "patterns")(lifetime(plan, "code")),
        (43200.0, SHIPPED_CODE.max_s, SHIPPED_CODE.patterns),
    ),
    ('[lifetimes.code]\npatterns = ["x"]', lambda plan: lifetime(plan, "code").patterns, ("x",)),
    (
        '[lifetimes.code]\nmore_patterns = ["x"]\nmore_ignore = ["y"]',
        lambda plan: attrgetter("patterns", "ignore")(lifetime(plan, "code")),
        ((*SHIPPED_CODE.patterns, "x"), (*SHIPPED_CODE.ignore, "y")),
    ),
    ('[lifetimes.factual]\nttl = "1m"', lambda plan: lifetime(plan, "factual").max_s, 60.0),
    ("[lifetimes.mine]\nttl = 5\npatterns = ['x']", lambda plan: plan.lifetimes[0].name, "mine"),
    ("[lifetimes.mine]\nttl = 5\nmax = '1h'\npatterns = ['x']", lambda plan: plan.lifetimes[0].max_s, 3600.0),
]


@pytest.mark.parametrize(("text", "piece", "expected"), PLANS)
def test_a_file_is_read_into_the_plan(read, text, piece, expected):
    assert piece(read(text)) == expected


ERRORS = [
    ('[cache]\nmax_bytes = "lots"', "cache.max_bytes", "'lots' is not a size", '"512MB"'),
    ("[cache]\nmax_entires = 5", "cache.max_entires", "there is no such key", "Did you mean 'max_entries'?"),
    ("[cach]", "cach", "there is no such key", "Did you mean 'cache'?"),
    ("zzz = 1", "zzz", "there is no such key", "Known here: enabled,"),
    ("cache = 5", "cache", "5 is not a table", "[cache]"),
    ("providers = 5", "providers", "5 is not a table", "[providers]"),
    ("[providers]\nopenai = 5", "providers.openai", "5 is not a table", "[providers.openai]"),
    ("routes = 5", "routes", "5 is not a list of tables", "double brackets"),
    ("routes = [5]", "routes[0]", "5 is not a table", "[[routes]]"),
    ('[providers."a/b"]', 'providers."a/b"', "'a/b' is not a name", "letters"),
    ("[providers.own]", "providers.own.base_url", "it is missing", "or name a preset: openai,"),
    ('[providers.own]\npreset = "opnai"', "providers.own.preset", "no preset named 'opnai'", "'openai'?"),
    ("[providers.azure]", "providers.azure.base_url", "it is missing", "AZURE_OPENAI_ENDPOINT"),
    ('[providers.own]\nbase_url = "x"', "providers.own.base_url", "'x' is not an http(s) address", "https://"),
    (OWN + 'key = "abc"\nkey_env = "ABC"', "providers.own.key_env", "a literal key as well", "remove the other"),
    (OWN + 'key = "abc"\nforward_caller = true', "providers.own.forward_caller", "a key of ours", "Remove the key"),
    (
        '[providers.own]\nbase_url = "http://localhost:8080/v1"',
        "providers.own.base_url",
        "this gateway's own address",
        "provider's own address",
    ),
    ('[models.m]\nprovider = "x"', "models.m.provider", "no provider named 'x'", "None is configured"),
    (OWN + '[models.m]\nprovider = "onw"', "models.m.provider", "no provider named 'onw'", "'own'?"),
    ('[models.gpt-4.1]\nrevision = "2"', "models.gpt-4.1", "there is no such key", '[models."gpt-4.1"]'),
    ('[models."gpt-*"]', 'models."gpt-*"', "named in full", "one section for each"),
    ('[models.m]\nprice = { input = "1" }', "models.m.price.output", "it is missing", "per million"),
    ('[models.m]\nprice = { input = "1", output = "x" }', "models.m.price.output", "'x' is not an amount", '"0.15"'),
    ('[[routes]]\nname = "a"', "routes[0].models", "it is missing", "models"),
    (
        '[[routes]]\nname = "a"\nmodels = ["*"]\nswitches = { exat = 1 }',
        "routes[0].switches.exat",
        "no such",
        "'exact'?",
    ),
    ('[[routes]]\nname = "a"\nmodels = ["*"]\npolicy = "best"', "routes[0].policy", "'best' is not one", "'as_asked'"),
    ('[[routes]]\nname = "default"\nmodels = ["a"]', "routes[0].name", "no other matches", "Choose another name"),
    (
        '[[routes]]\nname = "a"\nmodels = ["x"]\n[[routes]]\nname = "a"\nmodels = ["y"]',
        "routes[1].name",
        "'a' names an earlier route too",
        "a name of its own",
    ),
    ('[switches]\nexact = "maybe"', "switches.exact", "'maybe' is not a switch", '"off"'),
    ("[switches]\nown = 1", "switches.own", "there is no such key", "exact"),
    ("[lifetimes.mine]\npatterns = ['x']", "lifetimes.mine.ttl", "it is missing", 'ttl = "1h"'),
    ("[lifetimes.mine]\nttl = 60\nmax = 5", "lifetimes.mine.max", "5s is shorter than the ttl of 1m", "or longer"),
    ("[lifetimes.mine]\nttl = 1\npatterns = ['(?=x)']", "lifetimes.mine.patterns[0]", "RE2 cannot read", "look-around"),
    ("[lifetimes.mine]\nttl = 1\npatterns = ['a', '(']", "lifetimes.mine.patterns[1]", "missing ):", "RE2"),
    ("[lifetimes.mine]\nttl = 1\npatterns = ['x*']", "lifetimes.mine.patterns", "the empty text", "RE2"),
    ('default_lifetime = "cod"', "default_lifetime", "no lifetime named 'cod'", "'code'?"),
    ('[listen]\nhost = "0.0.0.0"', "listen.host", "'0.0.0.0' can be reached from other machines", "PENNYWORTH_KEY"),
    ('[admin]\nhost = "0.0.0.0"', "admin.host", "no admin key is configured", "PENNYWORTH_ADMIN_KEY"),
    ("[admin]\nport = 8080", "admin.port", "8080 is the port of the gateway too", "8081"),
    ('[keys.team]\nenv = "TEAM_KEY"', "keys.team.env", "TEAM_KEY is not set", "Set it to the key"),
    ('[keys.team]\nscope = "a"', "keys.team", "neither env nor key", 'env = "TEAM_KEY"'),
    ('[admin]\nkey_env = "ADMIN"', "admin.key_env", "ADMIN is not set", "Set it to the key"),
    ('[log]\nlevel = "loud"', "log.level", "'loud' is not one of the choices", "'debug'"),
    ("[limits]\nmax_depth = 100000", "limits.max_depth", "100000 is not a whole number from 8 to 512", "range"),
    ("enabled = 2020-01-01", "enabled", "2020-01-01 is neither true nor false", "without quotes"),
    ("[cache]\nmax_bytes = 0x" + "f" * 6000, "cache.max_bytes", "a very large number is out of range", "8192 TiB"),
]


@pytest.mark.parametrize(("text", "key", "problem", "fix"), ERRORS)
def test_an_error_names_the_key_the_value_and_the_fix(refused, text, key, problem, fix):
    (error,) = refused(text)
    assert error.key == key
    assert problem in error.problem
    assert fix in error.fix


def test_the_message_reads_as_a_sentence_and_its_remedy(read):
    with pytest.raises(ConfigError) as caught:
        read('[cache]\nmax_bytes = "lots"')
    assert str(caught.value) == (
        'cache.max_bytes: \'lots\' is not a size. Use a number of bytes or a string such as "512MB" or "64MiB".'
    )


def test_all_errors_of_a_file_are_reported_together(read):
    text = 'enable = true\n[cache]\nmax_bytes = "lots"\n[listen]\nport = "x"\n[lifetimes.code]\nttl = "y"'
    with pytest.raises(ConfigErrors) as caught:
        read(text)
    keys = {"enable", "cache.max_bytes", "listen.port", "lifetimes.code.ttl"}
    assert {error.key for error in caught.value.errors} == keys
    assert all(str(error) in str(caught.value) for error in caught.value.errors)
    assert caught.value.key in keys


def test_two_keys_that_are_the_same_leave_the_scope_to_nobody(refused):
    (error,) = refused('[keys.a]\nkey = "same-key-0123456789"\n[keys.b]\nkey = "same-key-0123456789"')
    assert error.key == "keys.b"
    assert "same-key-0123456789" not in str(error)


BROKEN = [
    (b"a = ", "it is not TOML"),
    (b"a = 1\na = 2", "it is not TOML"),
    (b"a = '\xff'", "it is not UTF-8 at byte 5"),
    (b"a = " + b"[" * 5000, "nests too deeply"),
    (b"a = " + b"9" * 5000, "a number too long"),
    (b"a = 1e99999999999999999999", "a number too long"),
    (b"#" * (2**20 + 1), "larger than 1 MiB"),
]


@pytest.mark.parametrize(("content", "problem"), BROKEN, ids=[problem for _, problem in BROKEN])
def test_a_file_that_is_no_configuration_says_what_it_is(tmp_path, content, problem):
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    (error,) = problems(str(path), {})
    assert "broken.toml" in error.key
    assert problem in error.problem


@pytest.mark.parametrize("name", ["/nowhere/at/all.toml", "/", "a\0b"])
def test_a_file_that_cannot_be_read_is_named(name):
    with pytest.raises(ConfigError, match="cannot be read"):
        load(name, {})


def test_a_preset_named_by_the_provider_brings_everything(read):
    (provider,) = read("[providers.groq]", GROQ_API_KEY="gsk_abc").providers
    assert provider.base_url == "https://api.groq.com/openai/v1"
    assert provider.credential.reveal() == "gsk_abc"
    assert (provider.key_source, provider.price_provider) == ("GROQ_API_KEY", "groq")
    assert "llama-*" in provider.models


def test_a_server_that_only_shares_a_presets_name_is_not_sent_its_key(read):
    (provider,) = read('[providers.openai]\nbase_url = "https://elsewhere/v1"', OPENAI_API_KEY="sk-abc").providers
    assert (provider.credential.reveal(), provider.key_source, provider.models) == ("", "", ("*",))


def test_a_preset_asked_for_by_name_keeps_its_key_at_another_address(read):
    text = '[providers.mine]\npreset = "dashscope"\nbase_url = "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"'
    (provider,) = read(text, DASHSCOPE_API_KEY="abc").providers
    assert provider.base_url == "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"
    assert provider.credential.reveal() == "abc"


def test_a_provider_whose_variable_is_not_set_says_which(read):
    (provider,) = read(OWN + 'key_env = "OWN_KEY"').providers
    assert (provider.credential.reveal(), provider.key_source) == ("", "OWN_KEY from providers.own.key_env")


def test_a_provider_that_forwards_the_caller_holds_no_key(read):
    (provider,) = read("[providers.openai]\nforward_caller = true", OPENAI_API_KEY="sk-abc").providers
    assert (provider.forward_caller, provider.credential.reveal(), provider.key_source) == (True, "", "")


def test_providers_stand_in_the_order_of_the_file(read):
    text = "".join(f'[providers.{name}]\nbase_url = "https://{name}/v1"\n' for name in ("zeta", "alpha", "midway"))
    assert [provider.name for provider in read(text).providers] == ["zeta", "alpha", "midway"]


def test_a_client_key_opens_other_addresses_and_shuts_out_callers_without_one(read):
    plan = read('[listen]\nhost = "0.0.0.0"\n[keys.team]\nenv = "TEAM_KEY"\nscope = "search"', TEAM_KEY="k" * 20)
    assert plan.allow_anonymous is False
    (key,) = plan.keys
    assert (key.name, key.scope, key.secret.reveal()) == ("team", "search", "k" * 20)


def test_a_key_that_cannot_be_read_never_leaves_the_door_open(refused):
    errors = refused('[listen]\nhost = "0.0.0.0"\n[keys.team]\nenv = "TEAM_KEY"')
    assert [error.key for error in errors] == ["keys.team.env"]


def test_anonymous_callers_from_elsewhere_are_served_only_when_the_operator_insists(read):
    plan = read('allow_anonymous = true\n[listen]\nhost = "0.0.0.0"')
    assert plan.allow_anonymous is True
    assert read("allow_anonymous = false").allow_anonymous is False


def test_an_admin_key_opens_the_admin_port_to_other_machines(read):
    plan = read('[admin]\nhost = "0.0.0.0"\nkey_env = "ADMIN"', ADMIN="a" * 20)
    assert (plan.admin_key.reveal(), plan.listen.admin_host) == ("a" * 20, "0.0.0.0")


def test_the_digest_follows_the_configuration_and_not_the_secrets(read):
    text = OWN + 'key_env = "OWN_KEY"\n[keys.a]\nenv = "A_KEY"'
    first = read(text, OWN_KEY="one", A_KEY="two").digest
    assert len(first) == 12
    assert read(text, OWN_KEY="three", A_KEY="four").digest == first
    assert read("# a comment\n" + text, OWN_KEY="one", A_KEY="two").digest == first
    assert read(text + '\nscope = "b"', OWN_KEY="one", A_KEY="two").digest != first


def test_an_amount_written_in_another_way_does_not_change_the_digest(read):
    def priced(amount: str) -> str:
        return read(f"[models.m]\nprice = {{ input = {amount}, output = 1 }}").digest

    assert priced('"0.15"') == priced("0.150") != priced('"0.16"')


def test_a_home_directory_is_written_with_a_tilde(read):
    assert not read('state_dir = "~/pw"').state_dir.startswith("~")
