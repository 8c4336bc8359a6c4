"""Two processes of a round come to what one comes to."""

from __future__ import annotations

import copy
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from feedback.records import Claim
from learner import ranks, reward, sft
from learner.actor import Actor
from learner.batching import Group
from learner.demonstration import Demonstration
from learner.optimise import Optimiser
from learner.own_critic import OwnCritic
from learner.ppo import PPO
from learner.ranks import crew, following, group, sharding
from learner.ranks.crew import Order
from learner.ranks.shared import seen_by_all
from learner.reward_model import RewardModel
from learner.rewarder import Rewarder
from learner.settings import LearnerSettings, PPOSettings, RewardSettings
from learner.weights import trained
from policy import adapters
from policy.model import Model, load
from policy.place import Place
from tests import test_learner_actor as acting
from tests import test_learner_own_critic as criticising
from tests.test_learner_reward import made_rankings
from tests.tiny_models import make_tiny
from tests.two_ranks import Two, two_ranks

Found = list[Tensor]


@pytest.fixture(scope="module")
def two() -> Iterator[Two]:
    with two_ranks() as two:
        yield two


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("tiny") / "policy", "llama", seed=0)


def caught(optimiser: Optimiser) -> Found:
    """The gradients that its next step would follow, filled by that step, which is not taken."""
    found: Found = []

    def keep(loss: float) -> float:
        gradients = [p.grad for p in optimiser.parameters if p.grad is not None]
        found.extend(sharding.whole({str(i): g for i, g in enumerate(gradients)}).values())
        found.append(torch.tensor(loss))
        return 0.0

    optimiser._move = keep  # type: ignore[method-assign]
    return found


def exact(folder: Path) -> Model:
    """The policy in float64: what it comes to hangs on no order of adding up."""
    policy = load(folder)
    policy.net.double()
    return policy


def of_the_policy(folder: Path, shared: bool = False) -> Found:
    """Sixteen replies of unlike lengths, with the KL and supervised examples beside."""
    policy = exact(folder)
    reference = copy.deepcopy(policy.net)
    if shared:
        sharding.share(policy.net)
    given = {"ptx": 0.5, "entropy_bonus": 0.1, "replies_per_prompt": 4, "minibatch": 16}
    settings, example = PPOSettings.model_validate(given), Group((5, 6), ((7, 8, 9),))
    actor = Actor(policy, reference, lambda count: [example] * count, settings, seed=3)
    found = caught(actor.optimiser)
    actor._update(acting.made_lesson(actor), [0, 1, 2, 3])
    return found


def of_a_shared_policy(folder: Path) -> Found:
    return of_the_policy(folder, shared=True)


def of_few_replies(folder: Path) -> Found:
    """One prompt's replies: the second rank has none."""
    actor = acting.make_actor(exact(folder), ptx=0.5)
    found = caught(actor.optimiser)
    actor._update(acting.made_lesson(actor), [2])
    return found


def of_an_adapter(folder: Path) -> Found:
    model = exact(folder)
    net = adapters.share(model.net)
    adapters.attach(net, rank=4, alpha=8.0, seed=3, base="tiny")
    for name, weight in adapters.own_weights(net):
        if ".lora_B." in name:  # at 0 it would leave the other factor without a gradient
            torch.nn.init.normal_(weight, std=0.1, generator=torch.Generator().manual_seed(1))
    actor = acting.make_actor(replace(model, net=net))
    found = caught(actor.optimiser)
    actor._update(acting.made_lesson(actor), [0, 1, 2, 3])
    return found


def of_a_reward_model(folder: Path) -> Found:
    """Five rankings of several heads, with ratings and orders by a criterion for some of them."""
    model = RewardModel.start(folder, seed=1, heads=2, criteria={"brief": 1.0}).double()
    rankings = made_rankings(5, seed=1)
    rankings[1] = replace(rankings[1], criteria={"brief": (1.0, None, -0.5, 0.0)})
    rankings[4] = replace(rankings[4], orders={"brief": (1, 2, 3, 3)}, weight=0.5)
    rankings[2] = replace(rankings[2], ranks=())
    optimiser = Optimiser(model, 1e-3, steps=4, gradient_clip=1.0)
    found = caught(optimiser)
    reward._learn(model, optimiser, rankings, RewardSettings())
    return found


def of_demonstrations(folder: Path) -> Found:
    """Three rows of conversations of unlike lengths."""
    net = exact(folder).net
    step = [Demonstration((7,) * n, (0,) + (1,) * (n - 1)) for n in (250, 240, 200, 90, 12)]
    optimiser = Optimiser(net, 1e-3, steps=4, gradient_clip=1.0)
    found = caught(optimiser)
    sft._learn(net, optimiser, step)
    return found


def of_a_critic(folder: Path) -> Found:
    """Six replies to three prompts."""
    model = RewardModel.start(folder, seed=1).double()
    critic = OwnCritic(model, PPOSettings(), 10)
    critic.head.double()
    experience = criticising.made_experience(model)
    experience = replace(experience, old_logps_RL=experience.old_logps_RL.double())
    estimates = critic.estimate(experience, criticising.rewards_of(experience))
    found = caught(critic.optimiser)
    critic.update(experience, estimates, [0, 1, 2])
    return [*found, estimates.values_RL]


@pytest.mark.parametrize(
    "gradients",
    [
        of_the_policy,
        of_a_shared_policy,
        of_few_replies,
        of_an_adapter,
        of_a_reward_model,
        of_demonstrations,
        of_a_critic,
    ],
)
def test_gradients_are_those_of_one_process(
    two: Two, folder: Path, gradients: Callable[[Path], Found]
) -> None:
    """Of each weight, and the loss, to a millionth; on both ranks the same bits."""
    alone, (one, other) = gradients(folder), two.call(gradients, folder)
    assert sum(float(found.norm()) for found in alone[:-1]) > 1e-3
    torch.testing.assert_close(one, alone, atol=1e-6, rtol=1e-6)
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def of_steps(folder: Path) -> Found:
    """Two PPO steps from rollout to update: what was said, and the weights after them. Policy and
    reward model are shared out, and so is a critic that is a copy of it.
    """
    policy, model = load(folder), RewardModel.start(folder, seed=1)
    reference = copy.deepcopy(policy.net)
    sharding.share(policy.net)
    sharding.share(model.net)
    given = {"steps": 2, "max_tokens": 12, "minibatch": 8, "critic": "own", "learning_rate": 1e-4}
    examples = [Group((5, 6), ((7, 8, 9),)), Group((9, 6, 5), ((4, 11),))]
    ppo = PPO(
        policy,
        reference,
        Rewarder(model),
        lambda count: (examples * count)[:count],
        PPOSettings.model_validate(given),
        seed=3,
    )
    prompts = [(5, 6, 7), (8, 9), (10, 11, 12, 13), (14,), (15, 16)]
    said = []
    for _ in range(2):
        ppo.step(prompts)
        said += [reply for group in ppo.experience.groups for reply in group.replies]
    tokens = torch.tensor([token for reply in said for token in reply])
    return [tokens, *sharding.whole(trained(policy.net)).values()]


def test_steps_say_the_same_and_come_to_the_same_weights(two: Two, folder: Path) -> None:
    """Five prompts with four replies each, in minibatches that do not divide evenly."""
    alone, (one, other) = of_steps(folder), two.call(of_steps, folder)
    assert torch.equal(one[0], alone[0])
    torch.testing.assert_close(one[1:], alone[1:], atol=1e-5, rtol=0)
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


class Counting:
    """A database that counts how often it is asked."""

    asked = 0

    def ask(self, word: str) -> str:
        self.asked += 1
        if not word:
            raise ValueError("no word")
        return f"{word} {self.asked}"


def asking() -> tuple[list[str], int]:
    """What a rank hears of the one database, and how often its own was asked."""
    real = Counting()
    store = seen_by_all(real if ranks.rank() == 0 else None)  # type: ignore[arg-type]
    heard = [store.ask(word) for word in ("one", "two")]  # type: ignore[attr-defined]
    try:
        store.ask("")  # type: ignore[attr-defined]
    except (ValueError, ranks.RankLost) as error:
        heard.append(type(error).__name__)
    return heard, real.asked


def test_only_rank_0_asks_the_database(two: Two) -> None:
    """Both hear it; what the database refuses ends the others' round."""
    said = ["one 1", "two 2"]
    assert two.call(asking) == [([*said, "ValueError"], 3), ([*said, "RankLost"], 0)]


def sharing() -> tuple[list[int], list[list[int]]]:
    doubled = ranks.shared_out(lambda own: [2 * x for x in own], range(5))
    passes = ranks.evenly(range(5), lambda share: [[x] for x in share])
    return doubled, [[*run, counts] for run, counts in passes]


def test_what_is_shared_out_comes_back_in_order(two: Two) -> None:
    """Of five the first rank has 0, 2 and 4, the second 1, 3, and a third pass for nothing."""
    one, other = two.call(sharing)
    assert one == ([0, 2, 4, 6, 8], [[0, True], [2, True], [4, True]])
    assert other == ([0, 2, 4, 6, 8], [[1, True], [3, True], [0, False]])


def leaving() -> str:
    """The first rank leaves, while the second waits for it."""
    if ranks.rank() == 0:
        return "left"
    try:
        ranks.total(1.0)
    except ranks.RankLost:
        return "noticed"
    return "waited in vain"


def test_a_rank_that_leaves_is_noticed(two: Two) -> None:
    assert two.call(leaving) == ["left", "noticed"]


class Over(BaseException):
    """The test has seen enough."""


def launched(rank: int, port: int, folder: Path) -> list[str]:
    """What a rank of torchrun's hears of two rounds, of which the first fails on rank 0."""
    heard: list[str] = []

    def follow() -> None:
        order: Order = ranks.first(lambda: pytest.fail("rank 0 tells"))
        heard.append(f"round {order.claim.round_id}")
        heard.append(f"{ranks.total(ranks.rank())}")
        if len(heard) == 4:
            raise Over

    with pytest.MonkeyPatch.context() as patch, suppress(Over):
        where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
        for name, value in {**where, "RANK": str(rank)}.items():
            patch.setenv(name, value)
        if crew.follows():
            patch.setattr(following, "follow", follow)
            crew.keep_following("cpu")
        rounds = crew.Crew()
        for number in (1, 2):
            claim = Claim(number, number, "ada")
            order = Order(claim, "tiny", LearnerSettings(device="cpu"), folder, Place(folder))
            with suppress(KeyError), rounds.together(order):
                heard.append(f"{ranks.total(ranks.rank())}")
                if number == 1:
                    raise KeyError
    return heard


def test_processes_of_torchrun_meet_again_for_each_round(two: Two, tmp_path: Path) -> None:
    """They wait for rank 0, hear which round it is, and go on after one that rank 0 has left."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    calls = [two.pool.submit(launched, rank, port, tmp_path) for rank in range(2)]
    one, other = (call.result(timeout=120) for call in calls)
    assert one == ["1", "1"]
    assert other == ["round 1", "1", "round 2", "1"]


def test_alone_every_share_is_the_whole() -> None:
    """Which is what a process is by default, and again after a round."""
    assert (ranks.rank(), ranks.size(), group._wire) == (0, 1, None)
    assert sharing() == ([0, 2, 4, 6, 8], [[x, True] for x in range(5)])
    assert ranks.first(lambda: "once") == "once"
