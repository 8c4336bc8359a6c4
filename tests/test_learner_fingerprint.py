"""What a round's state belongs to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from feedback.preferences import RankedPrompt
from feedback.records import LoggedPrompt
from learner.fingerprint import fingerprint
from learner.settings import LearnerSettings
from policy.manifest import FileEntry, Manifest

MANIFEST = Manifest(
    id="v3",
    kind="full",
    parent="v0",
    base="builtin",
    base_digest="d0",
    reward_digest=None,
    round=2,
    settings={},
    revision="abc",
    created_at=1.0,
    files={"model.safetensors": FileEntry("s3", 5)},
)
RANKING = RankedPrompt(1, "c", "ann", "train", (("user", "hi"),), (9,), (), ())
GIVEN: dict[str, Any] = {
    "model": "builtin",
    "settings": LearnerSettings(threads=1),
    "seed": 7,
    "versions": [MANIFEST],
    "rankings": [RANKING],
    "prompts": [LoggedPrompt("c", "train", (("user", "hi"),), (9, 8))],
}


@pytest.mark.parametrize(
    "changed",
    [
        {"model": "folder"},
        {"settings": LearnerSettings(threads=2)},
        {"settings": LearnerSettings(threads=1, method="rloo")},
        {"seed": 8},
        {"versions": [replace(MANIFEST, files={"model.safetensors": FileEntry("s4", 5)})]},
        {"rankings": [replace(RANKING, weight=0.5)]},
        {"rankings": [replace(RANKING, ranking_id=2)]},
        {"prompts": [LoggedPrompt("c", "train", (("user", "hi"),), (9, 7))]},
        {"prompts": []},
    ],
)
def test_whatever_goes_into_a_round_tells_states_apart(changed: dict[str, Any]) -> None:
    """One thing is other than it was."""
    assert fingerprint(**GIVEN | changed) != fingerprint(**GIVEN)


@pytest.mark.parametrize(
    "changed",
    [
        {"settings": LearnerSettings(threads=1, tick_s=9.0, save_every=5, schedule="0 3 * * *")},
        {"versions": [replace(MANIFEST, revision="def", created_at=2.0)]},
        {"prompts": [LoggedPrompt("other", "train", (("user", "hi"),), (9, 8))]},
    ],
)
def test_what_changes_no_number_does_not(changed: dict[str, Any]) -> None:
    """When rounds run, and when or by which code a version was made."""
    assert fingerprint(**GIVEN | changed) == fingerprint(**GIVEN)
