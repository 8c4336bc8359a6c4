"""The policy's side of a step: fresh replies, and optimiser steps on replies with advantages.

Where advantages come from it does not know: PPO has a critic, RLOO compares a prompt's replies.

Axes: R replies, L tokens of a reply, N reply tokens in order.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor
from transformers import PreTrainedModel

from learner import ranks
from learner.anchor import Anchor
from learner.batching import Batch, Group, by_length, by_tokens, collate, passes
from learner.experience import Experience, Lesson, Wrong, judged
from learner.guards import check_ratio
from learner.losses import AdaptiveKL, policy_loss
from learner.optimise import Gradients, GradientSum, Optimiser, rate_of
from learner.parallel import at_once, halved
from learner.rewarder import Rewarder
from learner.rollout import Draw, Prompt, Sampling, roll_out
from learner.settings import PPOSettings
from learner.sft import supervised_loss
from learner.state import State, draws_of, put_draws
from learner.totals import Totals, together
from learner.vocabulary import Distributions, Told, told
from learner.weights import put_back, trained
from policy.model import Model

Replay = Callable[[int], Sequence[Group]]
"""So many supervised examples, other ones each time."""

Beside = Callable[[Sequence[int]], dict[str, float]]
"""What else learns from the replies to a minibatch of prompts, and its metrics."""


def nothing_beside(_indices: Sequence[int]) -> dict[str, float]:
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
        draw: Draw = roll_out,
    ) -> None:
        self.policy = policy
        self.draw = draw
        several = settings.epochs > 1
        self.anchor = Anchor(reference, settings.temperature, settings.anchor_decay, several)
        self.replay = replay
        self.settings = settings
        self.seed = seed
        self.taken = 0
        self.rng = random.Random(seed)
        self.control = AdaptiveKL(settings.kl_coef, settings.kl_target, settings.kl_horizon)
        self.updates = _updates(settings)
        rate = rate_of(policy.net, settings.learning_rate, small=3e-4)
        clip = settings.gradient_clip
        self.optimiser = Optimiser(policy.net, rate, steps=self.updates, gradient_clip=clip)

    def sample(self, prompts: Sequence[Prompt], reward: Rewarder, wrong: Wrong) -> Experience:
        """Fresh replies of the policy as it is now, judged."""
        s = self.settings
        how = Sampling(s.temperature, s.max_tokens, self.seed + self.taken, s.replies_per_prompt)
        replies = self.draw(self.policy, prompts, how)
        return judged(prompts, replies, reward, wrong, self.anchor if s.kl_in == "reward" else None)

    def learn(self, lesson: Lesson, beside: Beside = nothing_beside) -> dict[str, float]:
        """Epochs of minibatches over one step's replies; stops early where the policy ran off."""
        total = Totals()
        for _ in range(self.settings.epochs):
            for indices in self._minibatches(lesson.experience):
                total.add(self._update(lesson, indices) | beside(indices))
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

    def state(self) -> State:
        """The policy, its optimiser, a reference that moves, and what else a step depends on."""
        moving = {} if self.anchor.decay is None else trained(self.anchor.net)
        draws = {"taken": self.taken, "kl_coef": self.control.coef, "rng": draws_of(self.rng)}
        return State.of(
            policy=State(trained(self.policy.net)),
            optimiser=self.optimiser.state(),
            anchor=State(moving),
            draws=State(values=draws),
        )

    def restore(self, state: State) -> None:
        """Go on from a state of the same round."""
        put_back(self.policy.net, state.part("policy").tensors)
        self.optimiser.restore(state.part("optimiser"))
        if self.anchor.decay is not None:
            put_back(self.anchor.net, state.part("anchor").tensors)
        draws = state.part("draws").values
        self.taken, self.control.coef = draws["taken"], draws["kl_coef"]
        put_draws(self.rng, draws["rng"])

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
        """One's own share of the gradients of a part of a minibatch, and the part's metrics. The
        parts' gradients add up to those of the minibatch in one, however it was divided.
        """
        total, own = GradientSum(self.optimiser), []
        passes = partial(self._passes, lesson.experience)
        for indices, counts in ranks.evenly(part.indices, passes):
            loss, metrics = self._policy_terms(lesson, indices, part.tokens)
            total.add(loss * float(counts))
            if counts:
                replies = len(lesson.experience.replies_of(indices))
                own.append((metrics | {"loss": loss.item()}, replies))
        each, replies_of = zip(*ranks.all_of(own), strict=True)
        metrics = together(each, replies_of) | {"loss": sum(one["loss"] for one in each)}
        if part.replay:
            ptx, added = self._stay(total, part, sum(replies_of))
            metrics |= {"ptx_loss": ptx, "loss": metrics["loss"] + added}
        return total.take(), metrics

    def _stay(self, total: GradientSum, part: Part, replies: int) -> tuple[float, float]:
        """Add the gradients of the supervised loss on the examples of a part that has so many of
        the minibatch's replies. Their mean loss, and what it adds to the minibatch's.
        """
        tokens, mean, whole = _reply_tokens(part.replay), 0.0, 0.0
        for examples, counts in ranks.evenly(part.replay, ranks.in_one):
            of_all = _reply_tokens(examples) / tokens * counts
            ptx = supervised_loss(self.policy.net, collate(examples, self.policy.net.device))
            loss = self.settings.ptx * ptx * replies / part.replies * of_all
            total.add(loss)
            mean, whole = mean + ptx.item() * of_all, whole + loss.item()
        return ranks.total(mean), ranks.total(whole)

    def _passes(self, experience: Experience, indices: Sequence[int]) -> Iterator[list[int]]:
        lengths = [len(experience.groups[i]) for i in indices]
        for run in passes(lengths, self.policy.net.device):
            yield [indices[i] for i in run]

    def _policy_terms(
        self, lesson: Lesson, indices: Sequence[int], tokens: Tensor
    ) -> tuple[Tensor, dict[str, float]]:
        """The clipped surrogate, the KL to the reference and the entropy bonus, each a mean over
        these prompts' replies, times their share of the minibatch's `tokens`.
        """
        s, e = self.settings, lesson.experience
        rows = e.replies_of(indices)
        groups = [e.groups[i] for i in indices]
        batch = collate(groups, self.policy.net.device)
        mask_RL = batch.mask_RL
        said = self._told(e, batch, groups)
        logps_RL = batch.placed(said.logps_N)
        old_RL, advantages_RL = (
            x[rows, : mask_RL.shape[1]] for x in (e.old_logps_RL, lesson.advantages_RL)
        )
        loss, metrics = policy_loss(logps_RL, old_RL, advantages_RL, mask_RL, s.clip, s.dual_clip)
        metrics["policy_loss"] = loss.item()
        pull, ref_RL = self._pull(e, batch, rows, said)
        spread = said.entropy_N.mean()
        loss = loss if pull is None else loss + pull
        loss = loss - s.entropy_bonus * spread if s.entropy_bonus else loss
        metrics |= {
            "entropy": spread.item(),
            "kl": (old_RL - ref_RL).sum(1).mean().item(),
            "ratio_gap": ((logps_RL - old_RL).detach().exp() - 1).abs().max().item(),
        }
        return mask_RL.sum() / tokens * loss, metrics

    def _told(self, experience: Experience, batch: Batch, groups: Sequence[Group]) -> Told:
        """What the policy says of the replies and, where the KL is in the loss, the reference."""
        policy = Distributions.of(self.policy.net, batch, self.settings.temperature)
        in_loss = experience.ref_logps_RL is None
        reference = self.anchor.distributions(batch, groups) if in_loss else None
        return told(policy, batch.targets_N, reference, bool(self.settings.entropy_bonus))

    def _pull(
        self, experience: Experience, batch: Batch, rows: list[int], said: Told
    ) -> tuple[Tensor | None, Tensor]:
        """The KL's term of the loss, none where it is paid out of the reward, and the reference's
        log-probabilities of the replies.
        """
        if experience.ref_logps_RL is not None:
            return None, experience.ref_logps_RL[rows, : batch.mask_RL.shape[1]]
        assert said.kl_N is not None, "the reference was asked"
        assert said.ref_logps_N is not None, "the reference was asked"
        return self.control.coef * said.kl_N.mean(), batch.placed(said.ref_logps_N)


def _reply_tokens(examples: Sequence[Group]) -> int:
    return sum(len(reply) for group in examples for reply in group.replies)


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
