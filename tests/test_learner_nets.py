"""What a round trains and compares with, as full weights and as adapters over one base."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from learner.batching import Group, collate
from learner.lineage import WrongWeights
from learner.nets import Nets
from learner.ppo import PPO
from learner.reward import train
from learner.reward_model import RewardModel
from learner.rewarder import Rewarder
from learner.settings import LearnerSettings, PPOSettings, RewardSettings
from learner.weights import copied, half_way_back, put_back, trained
from policy import adapters
from policy.versions import Versions
from tests.test_learner_reward import made_rankings
from tests.test_policy_adapters import IDS_1T, logits, peft_warns, stir
from tests.tiny_models import make_tiny

GROUP = Group((4, 5, 6), ((7, 8), (9, 10, 11)))


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    versions = Versions(tmp_path / "data")
    versions.install_base(str(make_tiny(tmp_path / "model")))
    return versions


def nets_of(versions: Versions, weights: str, **reward: object) -> Nets:
    settings = LearnerSettings.model_validate({"weights": weights, "reward": reward})
    return Nets(versions, settings, "cpu")


def bytes_of(*nets: nn.Module) -> int:
    """Of all their tensors, what is shared counted once."""
    storages = {w.untyped_storage().data_ptr(): w for net in nets for w in net.parameters()}
    return sum(w.untyped_storage().nbytes() for w in storages.values())


def test_four_nets_are_on_one_base(versions: Versions) -> None:
    """Policy, reference, reward model and judge: one base, and beside it what adapters add.

    A layer's seven adapters of rank 16 hold 16 x ((64+64) + (64+32) x 2 + (64+64) + (64+128) x 3)
    = 16 x 1024 numbers; three nets of two layers, and two heads of 64.
    """
    nets = nets_of(versions, "lora")
    all_four = (nets.base.net, nets.policy("v0", 0).net, nets.reward("v0", 1), nets.reward("v0", 2))
    assert bytes_of(*all_four) - bytes_of(nets.base.net) == 4 * (3 * 2 * 16 * 1024 + 2 * 64)


def test_full_weights_are_held_for_each_net(versions: Versions) -> None:
    """As many as there are nets, but for the reward models' untied heads."""
    nets = nets_of(versions, "full")
    all_four = (nets.base.net, nets.policy("v0", 0).net, nets.reward("v0", 1), nets.reward("v0", 2))
    assert bytes_of(*all_four) == 4 * bytes_of(nets.base.net) + 2 * 4 * 64


def test_a_fresh_reward_model_scores_as_one_of_full_weights(versions: Versions) -> None:
    """Of the same seed: an adapter of B = 0 on v0's trunk is v0's trunk, and heads are drawn
    alike."""
    full, lora = (nets_of(versions, weights).reward("v0", 3) for weights in ("full", "lora"))
    torch.testing.assert_close(lora.score([GROUP]), full.score([GROUP]))


def test_reward_models_learn_apart_and_leave_the_base_alone(versions: Versions) -> None:
    """The loss falls; v0 says what it said, bit for bit, and so does the other model."""
    nets = nets_of(versions, "lora")
    before, other = logits(nets.base.net), nets.reward("v0", 2)
    scores, losses = other.score([GROUP]), []
    settings = RewardSettings(epochs=4, learning_rate=1e-2)
    train(nets.reward("v0", 1), made_rankings(40, 1), settings, 0, lambda *x: losses.append(x[2]))
    assert losses[-1]["reward_loss"] < losses[0]["reward_loss"] / 2
    assert torch.equal(logits(nets.base.net), before)
    assert other.score([GROUP]) == scores


@pytest.mark.parametrize("heads", [1, 3])
def test_a_reward_adapter_reads_back(versions: Versions, tmp_path: Path, heads: int) -> None:
    """Scores, normalisation and several heads, over the same base."""
    nets = nets_of(versions, "lora", heads=heads)
    model = nets.reward("v0", 1)
    stir(model.net, 0)
    model.settle()
    model.normalise_on([GROUP, GROUP])
    versions.publish("r1", model.save, kind="reward", parent="v0", round=1)
    again = RewardModel.load(versions.folder("r1"), nets.base.net)
    assert again.score([GROUP]) == model.score([GROUP])
    assert (again.mean, again.std) == (model.mean, model.std)


@peft_warns
def test_peft_reads_a_reward_adapter(versions: Versions) -> None:
    """A sequence classifier over the base, whose head came with the adapter: the last token's
    score."""
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    model = nets_of(versions, "lora").reward("v0", 1)
    stir(model.net, 0)
    versions.publish("r1", model.save, kind="reward", parent="v0", round=1)
    net = AutoModelForSequenceClassification.from_pretrained(versions.folder("v0"), num_labels=1)
    peft = PeftModel.from_pretrained(net, str(versions.folder("r1")))
    with torch.no_grad():
        states_1TD = model.net.base_model(input_ids=IDS_1T).last_hidden_state
        torch.testing.assert_close(peft(input_ids=IDS_1T).logits[0], model.head(states_1TD[0, -1]))


def test_a_version_of_the_other_kind_is_no_start(versions: Versions) -> None:
    """Each way, with what to do about it."""
    lora, full = nets_of(versions, "lora"), nets_of(versions, "full")
    versions.publish("v1", full.policy("v0", 0), kind="full", parent="v0", round=1)
    versions.publish("v2", lora.policy("v0", 0), kind="adapter", parent="v0", round=2)
    with pytest.raises(
        WrongWeights, match=r"v1 holds full weights .* Set learner\.weights to full"
    ):
        lora.policy("v1", 0)
    with pytest.raises(WrongWeights, match=r"v2 is an adapter .* Set learner\.weights to lora"):
        full.policy("v2", 0)
    assert adapters.adapted(lora.policy("v2", 0).net)


def test_weights_kept_are_put_back(versions: Versions) -> None:
    """An adapter's come back, and the base among them was never copied."""
    nets = nets_of(versions, "lora")
    net = nets.policy("v0", 0).net
    before, kept = logits(net), copied(net)
    assert kept.keys() == {name for name, _ in adapters.own_weights(net)}
    stir(net, 0)
    assert not torch.equal(logits(net), before)
    put_back(net, kept)
    assert torch.equal(logits(net), before)


def test_half_way_back_is_the_mean_of_weights() -> None:
    """1 and 4: 2.5."""
    net = nn.Linear(1, 1, bias=False)
    nn.init.constant_(net.weight, 4.0)
    half_way_back(net, {"weight": Tensor([[1.0]])})
    assert trained(net)["weight"].item() == 2.5


def test_batches_of_one_prompt_score_alike_on_both_kinds(versions: Versions) -> None:
    """The trunk of a shared copy sees rows and masks as any other does."""
    model = nets_of(versions, "lora").reward("v0", 3)
    together = model(collate([GROUP]))
    apart = [model(collate([Group(GROUP.prompt, (r,))])) for r in GROUP.replies]
    torch.testing.assert_close(together, torch.cat(apart))


def test_a_moving_reference_is_refused_over_a_shared_base() -> None:
    """It would move v0's tensors under every net."""
    with pytest.raises(ValueError, match="weights `lora` hold the reference fixed"):
        LearnerSettings.model_validate({"weights": "lora", "ppo": {"anchor_decay": 0.99}})


def ppo_of(nets: Nets) -> PPO:
    policy = nets.policy("v0", 0)
    settings = PPOSettings(max_tokens=12, minibatch=8, learning_rate=1e-3, check_every=1)
    return PPO(
        policy,
        nets.base.net,
        Rewarder(nets.reward("v0", 1)),
        lambda count: [GROUP] * count,
        settings,
        0,
    )


def test_ppo_of_an_adapter_begins_at_a_ratio_of_one(versions: Versions) -> None:
    """Sampled by the engine, scored by the modules, with nothing kept and everything made again;
    after the first update the reference is still v0, bit for bit, and the policy is not."""
    nets = nets_of(versions, "lora")
    before, ppo = logits(nets.base.net), ppo_of(nets)
    prompts = [(5, 6, 7), (8, 9)]
    metrics = ppo.step(prompts)
    assert metrics["first_ratio_gap"] < 1e-4
    assert abs(metrics["kl"]) < 1e-4
    ppo.step(prompts)
    assert torch.equal(logits(nets.base.net), before)
    assert not torch.equal(logits(ppo.policy.net), before)


def test_a_base_in_half_precision_is_trained_over_in_float32(versions: Versions) -> None:
    """v0's tensors in bfloat16; adapters, heads, scores and log-probabilities in float32."""
    settings = LearnerSettings.model_validate({"weights": "lora", "dtype": "bfloat16"})
    nets = Nets(versions, settings, "cpu")
    ppo = ppo_of(nets)
    metrics = ppo.step([(5, 6, 7), (8, 9)])
    assert {weight.dtype for weight in nets.base.net.parameters()} == {torch.bfloat16}
    assert {weight.dtype for weight in trained(ppo.policy.net).values()} == {torch.float32}
    assert {weight.dtype for weight in trained(ppo.reward.own.net).values()} == {torch.float32}
    assert ppo.experience.scores_R.dtype is torch.float32
    assert metrics["skipped"] == 0
    assert metrics["first_ratio_gap"] < 0.5


def test_full_weights_are_not_trained_in_half_precision() -> None:
    """The settings say so before a round begins."""
    with pytest.raises(ValueError, match="full weights are trained in float32"):
        LearnerSettings.model_validate({"dtype": "bfloat16"})
