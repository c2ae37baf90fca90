"""The reference is what the code says, and the example is a configuration that works and shows every key."""

import re
import tomllib
from pathlib import Path

from pennyworth.config import check, load
from pennyworth.config.check_surroundings import variables
from pennyworth.config.reference import reference, refreshed
from pennyworth.config.schema import NAMED_TABLES, SECTIONS, TABLES_OF_ONE

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = DOCS / "examples" / "pennyworth.toml"
ENV = {"OPENAI_API_KEY": "a-key-at-openai", "DASHSCOPE_API_KEY": "a-key-at-dashscope"}


def test_the_reference_in_the_docs_is_fresh():
    document = (DOCS / "configuration.md").read_text(encoding="utf-8")
    assert refreshed(document) == document, "run: python -m pennyworth.config.reference --write docs/configuration.md"


def test_every_section_variable_and_key_is_in_the_reference():
    text = reference()
    for section in SECTIONS:
        assert section.heading in text
        assert all(f"| `{field.key}` |" in text for field in section.fields)
    assert all(f"`{variable}`" in text for variable in variables())
    assert all(name in text for name in (*NAMED_TABLES, *TABLES_OF_ONE))


def test_the_example_loads_and_nothing_about_it_is_odd():
    plan = load(str(EXAMPLE), ENV)
    assert [provider.name for provider in plan.providers] == ["openai", "qwen", "own"]
    assert plan.routes[0].name == "support"
    findings = check(plan, ENV, str(EXAMPLE))
    assert [finding for finding in findings if finding.severity != "ok"] == []


def test_the_example_shows_every_key():
    text = EXAMPLE.read_text(encoding="utf-8")
    left_to_the_reference = {"semantic", "routing", "input_audio", "output_audio", "key", "max", "ignore"}
    for section in SECTIONS:
        shown = {field.key for field in section.fields if re.search(rf"(?m)^(# )?{field.key} = ", text)}
        missing = (
            {field.key for field in section.fields} - shown - left_to_the_reference - {"switches", "price", "calls"}
        )
        assert not missing, section.heading


def test_what_the_example_comments_out_can_be_taken_in():
    text = re.sub(r"(?m)^# ?(\[[a-z.-]+\]|[a-z0-9_]+ = )", r"\1", EXAMPLE.read_text(encoding="utf-8"))
    assert text.count("\n#") < EXAMPLE.read_text(encoding="utf-8").count("\n#") - 30
    tomllib.loads(text)


def test_the_toml_in_the_guide_loads(tmp_path):
    guide = (DOCS / "configuration.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", guide, re.DOTALL)
    assert blocks
    for block in blocks:
        path = tmp_path / "block.toml"
        path.write_text(block, encoding="utf-8")
        assert load(str(path), {"SEARCH_TEAM_KEY": "k" * 20, "OPENAI_API_KEY": "k"}).providers
