"""The stage that fine-tunes: what people showed to a policy that says it likelier.

It fine-tunes the reference, not the live version: what PPO learned from rankings a later round
learns again, near what people showed. Demonstrations are split as rankings are, so that half of
them say when to stop, and whether it helped. The maths is `learner.sft`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from feedback.records import LoggedPrompt, Reason, StoredDemonstration
from learner.demonstration import Demonstration, of_conversation, of_reply, prompts_of
from learner.material import Material
from learner.progress import Progress
from learner.settings import SFTSettings
from learner.sft import Lessons, Tuned, fine_tune, held_out_loss
from policy.chat import Message
from policy.model import Model


def lessons_of(given: Sequence[StoredDemonstration], model: Model) -> Lessons:
    """Both sides of the split as tokens; what the model has no room for is left out."""
    shown, held_out = (
        [piece for one in given if one.split == side for piece in _pieces(one, model)]
        for side in ("train", "judge")
    )
    return Lessons(shown, held_out)


def _pieces(one: StoredDemonstration, model: Model) -> list[Demonstration]:
    messages = [Message(role, content) for role, content in one.messages]
    return of_conversation(model.chat, messages, model.context)


def asked_of(given: Sequence[StoredDemonstration], model: Model) -> list[LoggedPrompt]:
    """What the held-out demonstrations answer, as prompts that somebody asked."""
    return [
        LoggedPrompt(one.conversation_id, one.split, one.messages, ids)
        for one in given
        if one.split == "judge"
        for ids in prompts_of(
            model.chat, [Message(role, content) for role, content in one.messages]
        )
        if len(ids) < model.context
    ]


def lacking(lessons: Lessons) -> Reason | None:
    """Why there is nothing to learn or nothing to stop by, if so."""
    train, judge = len(lessons.shown), len(lessons.held_out)
    if min(train, judge):
        return None
    text = f"{train} demonstrations to learn from and {judge} to judge by; it takes one of each."
    return Reason("demonstrations", False, 0.0, 1.0, text)


def with_own(lessons: Lessons, material: Material) -> Lessons:
    """The lessons beside the reference's own replies, but those that can be checked and are wrong.
    Without any prompt on record there are none.
    """
    groups = [g for g in material.samples if not material.wrong(g.prompt, g.replies[0])]
    return replace(lessons, own=[of_reply(group) for group in groups])


def tune(
    policy: Model, lessons: Lessons, settings: SFTSettings, seed: int, progress: Progress
) -> Tuned:
    """Fit the policy in place, for people to watch. Raises Cancelled, LeaseLost, NotFinite."""
    progress.stage("sft")
    return fine_tune(policy.net, lessons, settings, seed, progress.reporter())


def helped(tuned: Tuned, lessons: Lessons, live: Model) -> Reason:
    """Whether what it was not taught is likelier now than to the reference and to the live version,
    which may have learned from rankings since.
    """
    loss, now = tuned.losses[tuned.kept], held_out_loss(live.net, lessons.held_out)
    limit = min(tuned.losses[0], now)
    text = f"{tuned.text} The live version's is {now:.3f}."
    return Reason("held_out_loss", loss < limit, loss, limit, text)
