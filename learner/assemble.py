"""What a round rewards PPO by, put together from its settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from feedback.preferences import MarkedPrompt, RankedPrompt, last_user_message
from feedback.records import Reason
from learner import text_model
from learner.accuracy import Accuracy
from learner.batching import Ids
from learner.marked import sides_of
from learner.material import Material
from learner.progress import Progress
from learner.ranked_group import RankedGroup
from learner.reader import Reader
from learner.reward_model import RewardModel
from learner.reward_settings import RewardSettings
from learner.rewarder import Rewarder
from learner.scorers import Scorer
from learner.text_model import Taught
from policy.chat import Chat

Feedback = tuple[Sequence[RankedPrompt], Sequence[MarkedPrompt]]


def rewarder_of(
    reward: RewardModel,
    settings: RewardSettings,
    chat: Chat,
    material: Material,
    text: Scorer | None = None,
) -> Rewarder:
    """The reward model, or the text model in its place, and the scorers that are set, normalised on
    the reference's replies. Raises UnusableScorer.
    """
    scorers = [Scorer.load(s, reward.net.device) for s in settings.scorers]
    rewarder = Rewarder(reward, scorers, Reader(chat, material.said), text)
    rewarder.normalise_on(material.samples)
    return rewarder


def taught_text(
    feedback: Feedback,
    settings: RewardSettings,
    seed: int,
    progress: Progress,
    device: torch.device | str,
) -> tuple[Scorer, Reason]:
    """The text model, taught on the *train* side, and whether it is surely better than chance on
    the other. Raises UnusableScorer.
    """
    assert settings.trunk is not None, "a text model has a trunk"
    progress.stage("text reward")
    said = _said(feedback)
    train, judge = (
        [_as_text(group, said) for group in side if group.ranks]
        for side in sides_of(*feedback, settings).values()
    )
    model = text_model.start(settings.trunk, seed, device)
    text_model.teach(model, train, settings, seed, progress.reporter(every=4))
    return model, _sure(text_model.examine(model, judge))


def _said(feedback: Feedback) -> dict[Ids, str]:
    """What the user said last in each prompt that anything was said of."""
    rankings, marked = feedback
    prompts: list[RankedPrompt | MarkedPrompt] = [*rankings, *marked]
    return {p.prompt_ids: last_user_message(p.messages) for p in prompts}


def _as_text(group: RankedGroup, said: Mapping[Ids, str]) -> Taught:
    asked = said[group.group.prompt]
    return Taught(group, [(asked, text) for text in group.texts])


def _sure(found: Accuracy) -> Reason:
    text = (
        f"The text model tells {found.accuracy:.3f} of the pairs as people did, in "
        f"{found.conversations} unseen conversations (95 % interval {found.low:.3f} to "
        f"{found.high:.3f})."
    )
    return Reason("text_accuracy", found.low > 0.5, found.accuracy, 0.5, text)
