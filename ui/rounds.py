"""Draws the learner: what it does, how its rounds went and why. Pure: wire in, nodes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from ui.curves import Curve, picture
from ui.header import activity
from ui.nodes import Node, fragment, node
from ui.wire import Learner, MetricPoint, Reason, Round
from ui.words import count, duration, figure, label, moment

Nodes: TypeAlias = list[Node]

STEPS = (
    ("sft", "loss", "Fine-tuning: loss"),
    ("reward", "reward_loss", "Reward model: loss"),
    ("ppo", "reward", "PPO: reward"),
    ("ppo", "kl", "PPO: KL to v0, nats per reply"),
    ("ppo", "policy_loss", "PPO: policy loss"),
    ("ppo", "value_loss", "PPO: critic's loss"),
    ("ppo", "entropy", "PPO: entropy, nats per token"),
    ("ppo", "reply_tokens", "PPO: tokens of a reply"),
)
"""What is drawn of a round: stage, figure, and its name in words."""

OUTCOMES = {
    "promoted": "✓ promoted",
    "canary": "✓ on trial",
    "shadow": "✓ in the shadow",
    "verified": "✓ verified",
    "rejected": "✕ rejected",
    "failed": "✕ failed",
    "cancelled": "○ cancelled",
    "needs_feedback": "… needs feedback",
}


def state(learner: Learner | None) -> list[Node]:
    """What the learner does, how far it is, and what it waits for."""
    if learner is None:
        return fragment(node("p", "rl-note", "Nothing is known of the learner yet."))
    return fragment(
        node(
            "section",
            "rl-panel",
            node("h2", "", "Learner: ", activity(learner)),
            _bar(learner) if learner.state == "running" else None,
            node("p", "rl-note", _waits(learner)),
            *(
                node("p", "rl-wrong", text, role="alert")
                for text in (_trouble(learner), learner.missing, learner.last_error, learner.alarm)
                if text
            ),
        )
    )


def _bar(learner: Learner) -> Node:
    what = learner.stage or "Round"
    if learner.step is None or not learner.steps:
        # Without a value it shows that something moves, and not how far.
        return node("progress", "rl-progress rl-wide", aria_label=what)
    return node(
        "progress", "rl-progress rl-wide", value=learner.step, max=learner.steps, aria_label=what
    )


def _waits(learner: Learner) -> str:
    waiting = learner.waiting
    shown = f" and {waiting.demonstrations} of {waiting.demonstrations_needed} demonstrations"
    also = shown if waiting.demonstrations else ""
    parts = [f"{waiting.rankings} of {waiting.needed} rankings{also} wait for the next round"]
    if waiting.oldest_s is not None and waiting.rankings:
        parts.append(f"the oldest for {duration(waiting.oldest_s)}")
    if learner.next_run_at is not None:
        parts.append(f"a round is due at {moment(learner.next_run_at)}")
    return ", ".join(parts) + "."


def _trouble(learner: Learner) -> str | None:
    if learner.state != "dead":
        return None
    silent = learner.heartbeat_age_s
    since = f" for {duration(silent)}" if silent is not None else ""
    return f"The learner has not been heard of{since}: rankings are kept, nobody learns from them."


def curves(rounds: Sequence[Round], drawn: Round | None, metrics: Sequence[MetricPoint]) -> Nodes:
    """Round by round what came of it, and step by step the round that runs or ran last."""
    progress = [one for one in (accuracies(rounds), win_rates(rounds)) if one.points]
    steps = [one for one in (curve(metrics, *asked) for asked in STEPS) if one.points]
    return fragment(
        *_titled("Round by round", progress),
        *_titled(f"Round {drawn.id}, step by step" if drawn else "", steps),
    )


def _titled(title: str, shown: Sequence[Curve]) -> Nodes:
    if not shown:
        return []
    return [node("h2", "", title), node("div", "rl-curves", *(picture(one) for one in shown))]


def accuracies(rounds: Sequence[Round]) -> Curve:
    """Held-out reward accuracy by round, oldest first, from the toss of a coin on."""
    known = [
        (float(one.id), one.reward.accuracy)
        for one in reversed(rounds)
        if one.reward is not None and one.reward.accuracy is not None
    ]
    return Curve("Reward model: right on unseen rankings", known, "round", (0.5, 1.0))


def win_rates(rounds: Sequence[Round]) -> Curve:
    """Expected win rate over the version that was live, as the judge has it, by round."""
    known = [
        (float(one.id), reason.value)
        for one in reversed(rounds)
        for reason in one.reasons
        if reason.check == "win_rate" and reason.value is not None
    ]
    return Curve("Win rate over the version before, judged", known, "round", (0.5,))


def curve(metrics: Sequence[MetricPoint], stage: str, name: str, title: str) -> Curve:
    """A stage's figure by its steps."""
    points = [
        (float(point.step), value)
        for point in metrics
        if point.stage == stage and (value := point.values.get(name)) is not None
    ]
    return Curve(title, points)


def table(rounds: Sequence[Round]) -> list[Node]:
    """The rounds, newest first, each with its reasons folded away."""
    if not rounds:
        return fragment(node("p", "rl-note", "No round has run yet."))
    return fragment(
        node("h2", "", "Rounds"),
        node("ol", "rl-rounds", *(_round(one) for one in rounds), aria_label="Rounds"),
    )


def _round(one: Round) -> Node:
    outcome = one.outcome or one.state
    return node(
        "li",
        "",
        node(
            "details",
            "rl-round",
            node(
                "summary",
                "",
                node("span", "rl-strong", f"Round {one.id}"),
                node("span", f"rl-outcome rl-{outcome}", OUTCOMES.get(outcome, outcome)),
                node("span", "rl-dim", one.version) if one.version else None,
                node("span", "rl-dim", _facts(one)),
            ),
            node("p", "rl-wrong", one.error) if one.error else None,
            reasons(one.reasons),
        ),
    )


def _facts(one: Round) -> str:
    facts = [count(one.rankings, "ranking")] if one.rankings else []
    facts += [count(one.demonstrations, "demonstration")] if one.demonstrations else []
    if one.claimed_at is not None and one.decided_at is not None:
        facts.append(duration(one.decided_at - one.claimed_at))
    facts.append(moment(one.created_at))
    return " · ".join(fact for fact in facts if fact)


def reasons(given: Sequence[Reason]) -> Node | None:
    """The checks of a decision as a table; passed or not is a word, not a colour."""
    if not given:
        return None
    heads = ("Check", "", "Measured", "Limit", "In words")
    return node(
        "div",
        "rl-scroll",
        node(
            "table",
            "rl-table",
            node("thead", "", node("tr", "", *(node("th", "", h, scope="col") for h in heads))),
            node("tbody", "", *(_reason(reason) for reason in given)),
        ),
        tabindex="0",
        role="group",
        aria_label="Reasons",
    )


def _reason(reason: Reason) -> Node:
    return node(
        "tr",
        "",
        node("th", "", label(reason.check), scope="row"),
        node("td", "rl-yes" if reason.passed else "rl-no", "passed" if reason.passed else "failed"),
        node("td", "", "" if reason.value is None else figure(reason.value)),
        node("td", "", "" if reason.limit is None else figure(reason.limit)),
        node("td", "", reason.text),
    )
