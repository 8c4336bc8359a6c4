"""What people read: nodes made from what the server says."""

from __future__ import annotations

import json
from typing import Any

from ui import header, news, rounds, version_cards, words
from ui.curves import Curve, picture
from ui.memory import Conversation
from ui.nodes import Node, node
from ui.transcript import transcript
from ui.visitor import LOCAL, Visitor
from ui.watch import View
from ui.wire import Learner, MetricPoint, Round, Version


def text(tree: Node | list[Node]) -> str:
    """All the text in a tree, in order."""
    if isinstance(tree, str):
        return tree
    if tree and isinstance(tree[0], str) and len(tree) > 1 and isinstance(tree[1], dict):
        return "".join(text(child) for child in tree[2:] if not isinstance(child, dict))
    return " ".join(text(child) for child in tree if not isinstance(child, dict))


def a_version(**more: Any) -> Version:
    return Version.model_validate({"id": "v3", "state": "live", "live": True, **more})


class TestNodes:
    def test_an_attribute_has_its_name_in_html(self) -> None:
        """aria_label is aria-label; true is present, false and none are absent."""
        made = node("button", "x", "Go", aria_label="Go on", disabled=True, title=None, open=False)
        assert made == ["button", {"class": "x", "aria-label": "Go on", "disabled": ""}, "Go"]

    def test_a_child_that_is_none_is_left_out(self) -> None:
        """Optional parts need no case of their own."""
        assert node("p", "", None, "a") == ["p", {}, "a"]


class TestNews:
    def test_it_says_how_many_rankings_were_yours(self) -> None:
        """The person who ranked is told that it counted."""
        version = a_version(learned_from={"rankings": 32, "yours": 9})
        assert news.headline(version) == "v3 learned from 32 rankings, 9 of them yours."

    def test_a_version_that_returns_gives_the_reason(self) -> None:
        """After a roll-back nothing was learned; somebody decided."""
        moves = [
            {"from": "verified", "to": "live", "reason": "gate", "at": 1.0},
            {"from": "retired", "to": "live", "reason": "answers got worse", "at": 2.0},
        ]
        version = a_version(learned_from={"rankings": 32, "yours": 9}, events=moves)
        assert news.headline(version) == "v3 answers again: answers got worse"


class TestHeader:
    def test_it_counts_what_waits(self) -> None:
        """Everybody sees how far the next round is."""
        waiting = {"rankings": 9, "needed": 32}
        view = View(Learner.model_validate({"state": "idle", "waiting": waiting}))
        shown = text(header.strip(view, LOCAL)["nodes"])
        assert "9 of 32 rankings wait for the next round" in shown

    def test_a_server_that_is_gone_is_said_in_words(self) -> None:
        """A banner says what is wrong and that nothing is lost."""
        view = View(error="The server at http://x does not answer.")
        shown = text(header.strip(view, LOCAL)["nodes"])
        assert "The server at http://x does not answer. Nothing you typed is lost" in shown

    def test_without_keys_everybody_is_told_who_they_are(self) -> None:
        """The first page says that everybody is local and that rankings train the model."""
        shown = text(transcript(Conversation(), welcome=header.welcome(LOCAL)))
        assert "everybody here is local" in shown
        assert "rankings train the model" in shown

    def test_whoever_signed_in_is_named_and_may_leave(self) -> None:
        """With a way to another password only where there is one to change."""
        ada = Visitor("ada", owner=False, token="rs_1", way="password")
        shown = text(header.strip(View(), ada)["nodes"])
        assert "adaPasswordSign out" in shown
        owner = text(header.strip(View(), Visitor("key", token="rs_2", way="key"))["nodes"])
        assert "the owner" in owner
        assert "Password" not in owner
        assert "Sign out" not in text(header.strip(View(), LOCAL)["nodes"])

    def test_a_running_round_says_where_it_is(self) -> None:
        """Stage, step of steps, and the time left."""
        running = Learner(state="running", round=3, stage="ppo", step=12, steps=40, eta_s=31.0)
        assert header.activity(running) == "round 3, PPO, step 12 of 40, about 31 s left"


class TestLearner:
    def test_accuracy_runs_oldest_first(self) -> None:
        """The API lists rounds newest first; a round without a reward model has no point."""
        given = [
            Round.model_validate(
                {"id": 3, "state": "done", "reward": {"cross_validated_accuracy": 0.9}}
            ),
            Round.model_validate({"id": 2, "state": "done"}),
            Round.model_validate(
                {"id": 1, "state": "done", "reward": {"cross_validated_accuracy": 0.7}}
            ),
        ]
        assert rounds.accuracies(given).points == [(1.0, 0.7), (3.0, 0.9)]

    def test_a_curve_is_of_one_stage(self) -> None:
        """Stages have steps of their own."""
        points = [
            MetricPoint(stage="reward", step=1, at=0.0, values={"kl": 9.0}),
            MetricPoint(stage="ppo", step=1, at=0.0, values={"reward": 0.1, "kl": 0.2}),
        ]
        assert rounds.curve(points, "ppo", "kl", "KL").points == [(1.0, 0.2)]

    def test_a_picture_lies_where_its_figures_say(self) -> None:
        """Of 310 - 50 across and 90 up: (1, 0) left below, (2, 1) in the middle on top, (3, .5)."""
        shown = picture(Curve("KL", [(1, 0.0), (2, 1.0), (3, 0.5)]))
        assert "50.0,100.0 180.0,10.0 310.0,55.0" in json.dumps(shown)

    def test_a_picture_is_told_in_words(self) -> None:
        """The last figure, the first, and between which all of them are."""
        shown = picture(Curve("KL", [(1, 0.0), (2, 1.0), (3, 0.5)]))
        assert '"KL: 0.5 at step 3, from 0, between 0 and 1"' in json.dumps(shown)

    def test_only_what_has_figures_is_drawn(self) -> None:
        """No round, no picture and no heading."""
        assert rounds.curves([], None, []) == []

    def test_a_round_shows_its_reasons_in_words(self) -> None:
        """Passed and failed are words, because colours alone say nothing to some."""
        check = {"check": "win_rate", "passed": False, "value": 0.52, "limit": 0.5, "text": "wins"}
        one = Round.model_validate(
            {"id": 2, "state": "done", "outcome": "rejected", "reasons": [check]}
        )
        shown = text(rounds.table([one]))
        assert "✕ rejected" in shown
        assert "win ratefailed0.520.5wins" in shown

    def test_a_silent_learner_is_told_from_an_idle_one(self) -> None:
        """Rankings are kept while nobody learns from them, and the page says so."""
        dead = Learner(state="dead", heartbeat_age_s=300.0)
        assert "not been heard of for 5 min" in text(rounds.state(dead))

    def test_demonstrations_wait_beside_rankings(self) -> None:
        """Where somebody showed anything, the tab says how many start the round that learns it."""
        waiting = {"rankings": 9, "needed": 32, "demonstrations": 3, "demonstrations_needed": 16}
        learner = Learner.model_validate({"state": "idle", "waiting": waiting})
        expected = "9 of 32 rankings and 3 of 16 demonstrations wait for the next round."
        assert expected in text(rounds.state(learner))


class TestVersions:
    def test_a_version_shows_where_it_came_from(self) -> None:
        """Parent, round and rankings on one line, then figures, then who changed it and why."""
        version = a_version(
            parent="v2",
            round=5,
            learned_from={"rankings": 32, "yours": 9},
            figures={"win_rate": 0.7123},
            events=[{"from": "verified", "to": "live", "actor": "learner", "reason": "all passed"}],
        )
        shown = text(version_cards.cards([version]))
        assert "from v2 · round 5 · learned from 32 rankings, 9 of them yours" in shown
        assert "win rate0.712" in shown
        assert "verified → live" in shown
        assert "all passed" in shown


class TestWords:
    def test_durations_are_in_the_largest_unit_that_fits(self) -> None:
        """Nobody wants to read 5400 seconds."""
        given = [0.4, 59, 150, 5400, 200_000]
        assert [words.duration(s) for s in given] == ["0 s", "59 s", "2 min", "2 h", "2 d"]

    def test_figures_have_three_digits(self) -> None:
        """And no trailing zeros, nor a minus before a nought."""
        given = (0.71234, 5.0, True, 7, -0.0001)
        assert [words.figure(x) for x in given] == ["0.712", "5", "yes", "7", "0"]
