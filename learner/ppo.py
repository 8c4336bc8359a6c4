"""Proximal policy optimisation of a chat policy against a reward model.

What of the textbook is kept: fresh rollouts at temperature T with nothing cut from the
distribution, the reward on the last token, GAE, whitened advantages, the clipped ratio, the clipped
value, several epochs of minibatches, an adaptive KL coefficient.

What is left, and why:
1. The KL to the reference stands in the loss, over the full vocabulary, not in the reward: the same
   pull at a fraction of the variance. `kl_in` puts it back.
2. The critic is one linear head on the reward model's frozen trunk (learner/critic.py); `critic`
   puts the paper's, a model of its own, in its place (learner/own_critic.py).
3. The supervised loss stands beside (PTX, InstructGPT), because what nobody ranks is lost first: on
   the reference's own replies, which hold the policy where it was without pulling it elsewhere.
4. A reply that can be checked and is wrong loses reward: people who rank manners say nothing of
   what is true, and a policy that changes its manners forgets some of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedModel

from learner.actor import Actor, Replay
from learner.critic import Critic, HeadCritic
from learner.experience import Experience, Lesson, Wrong, token_rewards_RL, unchecked
from learner.losses import AdaptiveKL
from learner.own_critic import OwnCritic
from learner.rewarder import Rewarder
from learner.rollout import Draw, Prompt, roll_out
from learner.settings import PPOSettings
from learner.state import State
from policy.model import Model

CRITICS: dict[str, type[HeadCritic] | type[OwnCritic]] = {"reward": HeadCritic, "own": OwnCritic}
"""By the setting `learner.ppo.critic`."""


class PPO:
    """Policy, reference, critic and optimisers of a round; `step(prompts)` improves the policy.

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
        self.critic: Critic = CRITICS[settings.critic](reward.own, settings, self.actor.updates)
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
        """The actor's and the critic's."""
        return State.of(actor=self.actor.state(), critic=self.critic.state())

    def restore(self, state: State) -> None:
        """Go on from a state of the same round."""
        self.actor.restore(state.part("actor"))
        self.critic.restore(state.part("critic"))

    def step(self, prompts: Sequence[Prompt]) -> dict[str, float]:
        """Sample, price, estimate, learn, adapt. Returns the step's metrics, all masked means.

        Raises Tripped, NotFinite.
        """
        experience = self.actor.sample(prompts, self.reward, self.wrong)
        rewards_RL = token_rewards_RL(experience, self.settings, self.control.coef)
        estimates = self.critic.estimate(experience, rewards_RL)
        if self.actor.taken == 0:
            self.critic.warm(experience, estimates)

        def criticise(indices: Sequence[int]) -> dict[str, float]:
            return {"value_loss": self.critic.update(experience, estimates, indices)}

        metrics = self.actor.learn(Lesson(experience, estimates.advantages_RL), criticise)
        metrics = self.actor.adapt(metrics, len(experience.scores_R))
        self.experience = experience
        return metrics | experience.figures | {"value": estimates.value}
