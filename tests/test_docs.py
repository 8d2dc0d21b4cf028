"""What is written from the code is as the code says now; and README promises nothing that is not there."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import write_docs  # noqa: E402

from gpucheck.compat.variables import NAMES  # noqa: E402
from gpucheck.options import app  # noqa: E402
from gpucheck.render import rules  # noqa: E402

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_rule_pages_schemas_picture_and_help_texts_are_what_the_code_says() -> None:
    assert write_docs.stale(write_docs.wanted()) == [], "run scripts/write_docs.py"


def test_readme_shows_the_help_of_every_command() -> None:
    shown = set(re.findall(r"<!-- help: (.*?) -->", README))
    commands = {f"gpucheck {one.callback.__name__}" for one in app.registered_commands if one.callback}
    assert shown == {"gpucheck", *commands}


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "CHANGELOG.md",
        *(
            f"docs/{name}.md"
            for name in ("rules/README", "install", "windows", "logs", "fleets", "formats", "integrations")
        ),
    ],
)
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert links
    assert [link for link in links if not ((ROOT / page).parent / link).exists()] == []


def test_rules_that_readme_names_exist() -> None:
    named = re.findall(r"gpucheck explain ([a-z][a-z0-9-]+)", README) + re.findall(
        r'report\.find\("([a-z0-9-]+)"\)', README
    )
    assert named
    assert [name for name in named if name not in rules.names()] == []


def test_nobody_is_sent_to_the_other_project_of_that_name() -> None:
    pages = [
        ROOT / "README.md",
        ROOT / "CHANGELOG.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "gpucheck").rglob("*.py"),
    ]
    wrong = re.compile(r"(pip|pipx|uv tool) install (--?\S+ )*['\"]?gpucheck(?!-cli)\b")
    assert [str(page) for page in pages if wrong.search(page.read_text(encoding="utf-8"))] == []


def test_every_rule_says_what_it_means_why_it_matters_how_to_fix_it_and_its_sources() -> None:
    for name in rules.names():
        text = rules.clean(rules.every()[name])
        assert 10 < len(rules.summary(rules.every()[name])) < 200, name
        sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
        assert [section.removesuffix(" it") for section in sections] == [
            "What it means",
            "Why it matters",
            "How to fix",
            "References",
        ], name
        assert re.search(r"^## References\n+\S", text, re.MULTILINE), name


def test_the_picture_is_an_svg_without_anything_to_load() -> None:
    text = (ROOT / "docs/images/doctor.svg").read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert not re.search(r"<script|url\(.?http", text)
    assert not re.search(r"/(root|work|tmp/lab)/", text)


def test_the_schemas_keep_every_member_that_was_promised() -> None:
    schema = json.loads((ROOT / "gpucheck/render/report.schema.json").read_text())
    promised = {"schema", "version", "verdict", "exit_code", "findings", "checked", "skipped", "facts"}
    assert promised <= set(schema["required"])
    finding = schema["$defs"]["Finding"]["properties"]
    assert {"name", "severity", "message", "evidence", "fix", "explains"} <= set(finding)
    assert set(schema["$defs"]["Evidence"]["properties"]) >= {"fact", "value", "source"}


def test_no_variable_that_may_hold_a_secret_is_ever_read() -> None:
    secret = re.compile(
        r"TOKEN|SECRET|PASS|KEY|PROXY|CREDENTIAL|AUTH|COOKIE|INDEX_URL|NETRC|AWS_|GOOGLE_|AZURE_|WANDB|HF_"
    )
    assert [name for name in NAMES if secret.search(name.upper())] == []
