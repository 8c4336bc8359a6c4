"""REINFORCE leave-one-out (Ahmadian et al. 2024, 2402.14740): PPO's step without a critic.

What of the paper is kept: several replies to each prompt; a whole reply is one action, and its
advantage, the same for each of its tokens, is its reward less the mean of the others'; no GAE, no
whitening; the reply's own KL can be paid out of the reward (`kl_in`, with k1).

What is left, and why:
1. The ratio is clipped as in PPO. A step's replies make more than one minibatch, and from the
   second on they are no longer the policy's own. At a ratio of 1, so throughout the first, the
   gradient is plain REINFORCE's.
2. Token losses are divided by the mean length of a step's replies, where the paper sums a reply's:
   the same gradient but for a constant, at PPO's learning rate.
3. KL in the loss, PTX and wrong replies as in PPO, for PPO's reasons.

Axes: B prompts, K replies to each, R = B * K replies, L tokens of a reply.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from transformers import PreTrainedModel

from learner.actor import Actor, Replay
from learner.experience import Experience, Lesson, Wrong, token_rewards_RL, unchecked
from learner.losses import AdaptiveKL, rloo_advantages
from learner.rewarder import Rewarder
from learner.rollout import Draw, Prompt, roll_out
from learner.settings import PPOSettings
from learner.state import State
from policy.model import Model


class RLOO:
    """Policy, reference and optimiser of a round; `step(prompts)` improves the policy.

    `experience` is what the last step learned from.
    """

    experience: Experience

    def __init__(
        self,
        policy: Model,
        reference: PreTrainedModel,
        reward: Rewarder,
        replay: Replay,
        settings: PPOSettings,
        seed: int,
        wrong: Wrong = unchecked,
        draw: Draw = roll_out,
    ) -> None:
        self.actor = Actor(policy, reference, replay, settings, seed, draw)
        self.settings = settings
        self.reward = reward
        self.wrong = wrong

    @property
    def policy(self) -> Model:
        """What is improved, in place."""
        return self.actor.policy

    @property
    def control(self) -> AdaptiveKL:
        """What steers the KL to the reference."""
        return self.actor.control

    def state(self) -> State:
        """The actor's: there is nothing else that moves."""
        return self.actor.state()

    def restore(self, state: State) -> None:
        """Go on from a state of the same round."""
        self.actor.restore(state)

    def step(self, prompts: Sequence[Prompt]) -> dict[str, float]:
        """Sample, price, compare, learn, adapt. Returns the step's metrics, all masked means.

        Raises Tripped, NotFinite.
        """
        experience = self.actor.sample(prompts, self.reward, self.wrong)
        rewards_RL = token_rewards_RL(experience, self.settings, self.control.coef)
        metrics = self.actor.learn(Lesson(experience, self.advantages_RL(experience, rewards_RL)))
        metrics = self.actor.adapt(metrics, len(experience.scores_R))
        self.experience = experience
        return metrics | experience.figures

    def advantages_RL(self, experience: Experience, rewards_RL: Tensor) -> Tensor:
        """Each reply's advantage over the others to its prompt, at each of its tokens."""
        rewards_BK = rewards_RL.sum(1).view(-1, self.settings.replies_per_prompt)
        return rloo_advantages(rewards_BK).view(-1, 1) * experience.mask_RL
