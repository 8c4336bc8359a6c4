"""The docs say what there is: every command, setting and route, and none that is not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import rankloop
from server.app import create_app

ROOT = Path(__file__).parent.parent
REFERENCE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def section(title: str) -> str:
    """The reference's text below that heading."""
    return REFERENCE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from fields(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def shown(default: object) -> str:
    if default is None:
        return ""
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def test_every_setting_stands_in_the_reference_with_its_default_and_meaning() -> None:
    """A row is `| name | default | meaning |`, in the code's order, and there is no other row."""
    expected = [
        f"| `{name}` | {shown(field.default)} | {field.description} |"
        for name, field in fields(rankloop.Settings)
    ]
    assert re.findall(r"^\| `.*\|$", section("Settings"), re.MULTILINE) == expected


def test_every_route_stands_in_the_reference() -> None:
    """The table of routes and the application's routes are the same set."""
    app: FastAPI = create_app(rankloop.Settings())
    served = {
        f"{method} {path}"
        for path, methods in app.openapi()["paths"].items()
        for method in map(str.upper, methods)
    }
    assert (
        set(re.findall(r"^\| `((?:GET|POST|PUT|DELETE) [^`]+)`", section("Routes"), re.MULTILINE))
        == served
    )


def test_every_command_stands_in_the_reference() -> None:
    """The table of commands and the commands of `rankloop` are the same set."""
    groups = {group.name: group.typer_instance for group in rankloop.app.registered_groups}
    commands = {_name(command) for command in rankloop.app.registered_commands}
    for group, inner in groups.items():
        assert inner is not None
        commands |= {f"{group} {_name(command)}" for command in inner.registered_commands}
    rows = re.findall(r"^\| `rankloop ([a-z]+(?: [a-z]+)?)", section("Commands"), re.MULTILINE)
    assert set(rows) == commands


def _name(command: object) -> str:
    name = getattr(command, "name", None)
    return str(name or command.callback.__name__)  # type: ignore[attr-defined]


@pytest.mark.parametrize("document", PAGES, ids=lambda document: str(document.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(document: Path) -> None:
    """Every relative link and picture is a file of the repository."""
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (document.parent / target).exists()] == []


@pytest.mark.parametrize("document", PAGES, ids=lambda document: str(document.relative_to(ROOT)))
def test_settings_named_in_the_docs_exist(document: Path) -> None:
    """A RANKLOOP_ variable that a page names is a setting."""
    variables = set(re.findall(r"\bRANKLOOP_[A-Z_]*[A-Z]", document.read_text(encoding="utf-8")))
    assert variables <= {rankloop.environment_name(name) for name in rankloop.setting_names()}
