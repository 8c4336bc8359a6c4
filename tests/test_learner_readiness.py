"""What keeps rounds from running here."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from learner.readiness import lacking
from learner.settings import LearnerSettings
from policy.adapters import AdaptersMissing, attach
from policy.model import load
from policy.versions import Versions
from tests.tiny_models import make_tiny


@pytest.fixture
def no_peft(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the extra is not installed."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    versions = Versions(tmp_path / "data")
    versions.install_base(str(make_tiny(tmp_path / "model")))
    return versions


@pytest.mark.parametrize("weights", ["full", "lora"])
def test_with_everything_there_nothing_is_lacking(versions: Versions, weights: str) -> None:
    """Of both kinds, from v0."""
    settings = LearnerSettings.model_validate({"weights": weights})
    assert lacking(versions, "v0", settings) is None


@pytest.mark.usefixtures("no_peft")
def test_adapters_without_their_library_say_what_to_install(versions: Versions) -> None:
    """The learner before a round, and whoever makes an adapter all the same; full weights need no
    library."""
    said = lacking(versions, "v0", LearnerSettings(weights="lora"))
    assert said is not None
    assert "pip install peft" in said
    assert lacking(versions, "v0", LearnerSettings()) is None
    net = load(versions.folder("v0")).net
    with pytest.raises(AdaptersMissing, match="pip install peft"):
        attach(net, rank=4, alpha=8.0, seed=0, base="some/base")
