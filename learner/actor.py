"""The policy's side of a step: fresh replies, and optimiser steps on replies with advantages.

Where advantages come from it does not know: PPO has a critic, RLOO compares a prompt's replies.

Axes: R replies, L tokens of a reply, N reply tokens in order, V vocabulary.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor
from transformers import PreTrainedModel

from learner.anchor import Anchor
from learner.batching import Batch, Group, by_length, by_tokens, collate
from learner.experience import Experience, Lesson, Wrong, judged
from learner.forward import reply_logits_NV
from learner.guards import check_ratio
from learner.losses import AdaptiveKL, entropy, full_kl, policy_loss, token_logps
from learner.optimise import Gradients, Optimiser
from learner.parallel import at_once, halved
from learner.rewarder import Rewarder
from learner.rollout import Prompt, Sampling, roll_out
from learner.settings import PPOSettings, learning_rate_for
from learner.sft import supervised_loss
from learner.totals import Totals, together
from policy.model import Model

Replay = Callable[[int], Sequence[Group]]
"""So many supervised examples, other ones each time."""

Beside = Callable[[Sequence[int]], dict[str, float]]
"""What else learns from a minibatch of replies, and its metrics."""


def nothing_beside(_rows: Sequence[int]) -> dict[str, float]:
    """Nothing else learns."""
    return {}


@dataclass(frozen=True)
class Part:
    """Prompts whose replies are differentiated together: a minibatch, or a part of one.

    `tokens` and `replies` are the whole minibatch's, which the part's sums are divided by.
    """

    indices: Sequence[int]
    replay: Sequence[Group]
    tokens: Tensor
    replies: int


class Actor:
    """Policy, reference and optimiser of a round."""

    def __init__(
        self,
        policy: Model,
        reference: PreTrainedModel,
        replay: Replay,
        settings: PPOSettings,
        seed: int,
    ) -> None:
        self.policy = policy
        self.anchor = Anchor(reference, settings.temperature, settings.anchor_decay)
        self.replay = replay
        self.settings = settings
        self.seed = seed
        self.taken = 0
        self.rng = random.Random(seed)
        self.control = AdaptiveKL(settings.kl_coef, settings.kl_target, settings.kl_horizon)
        self.updates = _updates(settings)
        rate = settings.learning_rate or learning_rate_for(policy.net.num_parameters(), small=3e-4)
        clip = settings.gradient_clip
        self.optimiser = Optimiser(policy.net, rate, steps=self.updates, gradient_clip=clip)

    def sample(self, prompts: Sequence[Prompt], reward: Rewarder, wrong: Wrong) -> Experience:
        """Fresh replies of the policy as it is now, judged."""
        s = self.settings
        how = Sampling(s.temperature, s.max_tokens, self.seed + self.taken, s.replies_per_prompt)
        replies = roll_out(self.policy, prompts, how)
        return judged(prompts, replies, reward, wrong, self.anchor if s.kl_in == "reward" else None)

    def learn(self, lesson: Lesson, beside: Beside = nothing_beside) -> dict[str, float]:
        """Epochs of minibatches over one step's replies; stops early where the policy ran off."""
        total = Totals()
        for _ in range(self.settings.epochs):
            for indices in self._minibatches(lesson.experience):
                rows = lesson.experience.replies_of(indices)
                total.add(self._update(lesson, indices) | beside(rows))
            if total.mean("approx_kl") > self.settings.update_kl:
                break
        return total.means()

    def adapt(self, metrics: dict[str, float], replies: int) -> dict[str, float]:
        """End the step: steer the KL coefficient, let the reference follow. The metrics with it."""
        if "kl" in metrics:
            self.control.update(metrics["kl"], replies)
        self.anchor.follow(self.policy.net)
        self.taken += 1
        return metrics | {"kl_coef": self.control.coef}

    def _minibatches(self, experience: Experience) -> list[list[int]]:
        """Prompts by minibatch: of so many replies, or of so many reply tokens."""
        s, groups = self.settings, experience.groups
        lengths = [len(group) for group in groups]
        if s.minibatch_tokens is None:
            return by_length(lengths, max(1, s.minibatch // s.replies_per_prompt), self.rng)
        tokens = [sum(map(len, group.replies)) for group in groups]
        return by_tokens(lengths, tokens, s.minibatch_tokens, self.rng)

    def _update(self, lesson: Lesson, indices: Sequence[int]) -> dict[str, float]:
        """One optimiser step of the policy on these prompts' replies. Raises Tripped, NotFinite."""
        # Drawn before the parts run: the order of draws is not left to threads.
        parts = self.parts(lesson.experience, indices, halved(indices))
        found = at_once(lambda part: self.differentiated(lesson, part), parts)
        loss = sum(metrics.pop("loss") for _, metrics in found)
        metrics = together([metrics for _, metrics in found])
        check_ratio(metrics["ratio_max"])
        return metrics | {"gradient_norm": self.optimiser.follow([g for g, _ in found], loss)}

    def parts(
        self, experience: Experience, indices: Sequence[int], divided: Sequence[Sequence[int]]
    ) -> list[Part]:
        """A minibatch divided, each part with a supervised example for eight of its replies."""
        rows = experience.replies_of(indices)
        tokens, found = self._tokens(experience, rows), []
        for part in divided:
            replies = len(experience.replies_of(part))
            replay = self.replay(-(-replies // 8)) if self.settings.ptx else ()
            found.append(Part(part, replay, tokens, len(rows)))
        return found

    def _tokens(self, experience: Experience, rows: Sequence[int]) -> Tensor:
        """What the sum over a minibatch's tokens is divided by: its own tokens where it was cut by
        tokens. Where it was cut by replies, and minibatches are of like lengths, its replies times
        the step's mean length: so a token weighs the same in a minibatch of short replies.
        """
        mask_RL = experience.mask_RL
        if self.settings.minibatch_tokens is not None:
            return mask_RL[list(rows)].sum()
        return len(rows) * (mask_RL.sum() / len(mask_RL))

    def differentiated(self, lesson: Lesson, part: Part) -> tuple[Gradients, dict[str, float]]:
        """Gradients and metrics of a part of a minibatch. The parts' gradients add up to those of
        the minibatch in one, however it was divided.
        """
        rows = lesson.experience.replies_of(part.indices)
        loss, metrics = self._policy_terms(lesson, part, rows)
        if part.replay:
            ptx = supervised_loss(self.policy.net, collate(part.replay, self.policy.net.device))
            loss = loss + self.settings.ptx * ptx * len(rows) / part.replies
            metrics["ptx_loss"] = ptx.item()
        return self.optimiser.gradients(loss), metrics | {"loss": loss.item()}

    def _policy_terms(
        self, lesson: Lesson, part: Part, rows: list[int]
    ) -> tuple[Tensor, dict[str, float]]:
        """The clipped surrogate, the KL to the reference and the entropy bonus, each a mean over
        the part's tokens, times the part's share of the minibatch.
        """
        s, e = self.settings, lesson.experience
        batch = collate([e.groups[i] for i in part.indices], self.policy.net.device)
        mask_RL = batch.mask_RL
        logits_NV = reply_logits_NV(self.policy.net, batch) / s.temperature
        logps_RL = batch.placed(token_logps(logits_NV, batch.targets_N))
        old_RL, advantages_RL = (
            x[rows, : mask_RL.shape[1]] for x in (e.old_logps_RL, lesson.advantages_RL)
        )
        loss, metrics = policy_loss(logps_RL, old_RL, advantages_RL, mask_RL, s.clip, s.dual_clip)
        metrics["policy_loss"] = loss.item()
        pull, ref_RL = self._pull(e, batch, rows, logits_NV)
        spread = entropy(logits_NV if s.entropy_bonus else logits_NV.detach()).mean()
        loss = loss if pull is None else loss + pull
        loss = loss - s.entropy_bonus * spread if s.entropy_bonus else loss
        metrics |= {
            "entropy": spread.item(),
            "kl": (old_RL - ref_RL).sum(1).mean().item(),
            "ratio_gap": ((logps_RL - old_RL).detach().exp() - 1).abs().max().item(),
        }
        return mask_RL.sum() / part.tokens * loss, metrics

    def _pull(
        self, experience: Experience, batch: Batch, rows: list[int], logits_NV: Tensor
    ) -> tuple[Tensor | None, Tensor]:
        """The KL's term of the loss, none where it is paid out of the reward, and the reference's
        log-probabilities of the replies.
        """
        if experience.ref_logps_RL is not None:
            return None, experience.ref_logps_RL[rows, : batch.mask_RL.shape[1]]
        ref_logits_NV = self.anchor.logits_NV(batch)
        kl = full_kl(logits_NV, ref_logits_NV).mean()
        ref_RL = batch.placed(token_logps(ref_logits_NV, batch.targets_N))
        return self.control.coef * kl, ref_RL


def _updates(settings: PPOSettings) -> int:
    """Optimiser steps of a round, which the rate is laid out over. How many minibatches of tokens
    there will be is not known: it is reckoned for replies of half of the longest length.
    """
    s = settings
    replies = s.prompts_per_step * s.replies_per_prompt
    minibatches = -(-replies // s.minibatch)
    if s.minibatch_tokens is not None:
        minibatches = max(1, replies * s.max_tokens // 2 // s.minibatch_tokens)
    return s.steps * s.epochs * minibatches
