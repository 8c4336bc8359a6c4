"""The learner's settings. Light: read before torch is imported."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal, Protocol

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

from feedback.settings import DatabaseSettings
from feedback.trust.settings import TrustSettings
from learner.gate_settings import GateSettings as GateSettings
from learner.mode import Mode
from learner.reward_settings import RewardSettings as RewardSettings
from learner.reward_settings import read_json
from policy.settings import VersionSettings
from policy.vllm.settings import VllmSettings

_FROZEN = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

Share = Annotated[float, Field(gt=0, le=1)]


class SFTSettings(BaseModel):
    """How a policy is fine-tuned on demonstrations."""

    model_config = _FROZEN

    learning_rate: float | None = Field(default=None, gt=0)
    """Peak AdamW rate; unset, it follows the model's size (see `learning_rate_for`)."""
    epochs: int = Field(default=8, ge=1)
    """Most passes over the demonstrations; the one with the lowest held-out loss is kept."""
    patience: int = Field(default=2, ge=1)
    """Passes without a lower held-out loss that end it: one bad pass may be chance."""
    tokens_per_step: int = Field(default=1024, ge=1)
    """Tokens in one optimiser step; fewer where a pass would have less than four steps."""
    own_samples: float = Field(default=0.5, ge=0, lt=1)
    """Share of the loss on replies of its own to other prompts: what nobody shows is lost first."""


class PPOSettings(BaseModel):
    """How the policy is improved against the reward model."""

    model_config = _FROZEN

    learning_rate: float | None = Field(default=None, gt=0)
    """Peak AdamW rate; unset, it follows the model's size (see `learning_rate_for`)."""
    steps: int = Field(default=20, ge=1)
    """Rollout-and-update steps in one round; with half as many less of the reward is found."""
    prompts_per_step: int = Field(default=32, ge=1)
    """Prompts answered in one step: of few, a step follows chance, and pays for it in KL."""
    prompt_sets: Annotated[dict[str, Share], BeforeValidator(read_json)] = {}
    """Imported prompt sets, and the share of these prompts that is drawn of each."""
    replies_per_prompt: int = Field(default=4, ge=1)
    """Fresh replies to each prompt."""
    epochs: int = Field(default=1, ge=1)
    """Passes over each step's replies; more were slower and no better on small models."""
    minibatch: int = Field(default=64, ge=1)
    """Replies in one optimiser step."""
    minibatch_tokens: int | None = Field(default=None, ge=1)
    """Reply tokens in one optimiser step, in place of `minibatch`, where lengths differ much."""
    clip: float = Field(default=0.2, gt=0, lt=1)
    """How far a token's probability ratio earns or costs: 1 ± clip."""
    dual_clip: float | None = Field(default=None, gt=1)
    """Ratio past which a bad token costs no more (Ye et al. 2020), for steps of many epochs."""
    entropy_bonus: float = Field(default=0.0, ge=0)
    """Weight of a token's entropy in the loss; 0, because the KL keeps replies varied."""
    critic: Literal["reward", "own"] = "reward"
    """A head on the reward model's trunk, or a copy of it trained whole: twice the learning."""
    value_clip: float = Field(default=0.2, gt=0)
    """How far one step may move a value estimate, in standard deviations of the reward."""
    gamma: float = Field(default=1.0, gt=0, le=1)
    """Discount per token; 1, because a reply is judged as a whole."""
    lam: float = Field(default=0.95, ge=0, le=1)
    """GAE's trade of bias against variance."""
    sampler_gap: float = Field(default=0.02, gt=0)
    """Nats per token that vLLM's log-probabilities may lie off the learner's; else a round ends."""
    temperature: float = Field(default=1.0, gt=0)
    """Of the rollouts; all log-probabilities are of the softmax at this temperature."""
    max_tokens: int = Field(default=96, ge=1)
    """Longest rollout. Longer answers are cut and pay `missing_stop_penalty`."""
    missing_stop_penalty: float = Field(default=1.0, ge=0)
    """Taken from the reward of a reply that does not end by itself."""
    wrong_penalty: float = Field(default=2.0, ge=0)
    """Taken from the reward of a reply to a built-in prompt that its checker finds wrong."""
    reward_clip: float = Field(default=5.0, gt=0)
    """Bound of a reply's normalised reward: no outlier steers a step."""
    gradient_clip: float = Field(default=1.0, gt=0)
    """Largest gradient norm."""
    kl_coef: float = Field(default=0.2, ge=0)
    """Starting weight of the KL to the reference."""
    kl_in: Literal["loss", "reward"] = "loss"
    """`loss`: over the vocabulary. `reward`: of the drawn tokens, as Ziegler et al. have it."""
    kl_kind: Literal["k1", "k2", "k3"] = "k1"
    """Estimate of a token's KL in the reward; of the three only k1 has the KL's own gradient."""
    kl_target: float = Field(default=2.0, gt=0)
    """Nats per reply that the weight is adapted towards; a common preference needs about two."""
    kl_horizon: int = Field(default=400, ge=1)
    """Replies over which the weight adapts."""
    anchor_decay: float | None = Field(default=None, gt=0, lt=1)
    """Share that the reference keeps of itself at each step, following the policy; unset, all."""
    ptx: float = Field(default=0.2, ge=0)
    """Weight of the supervised loss beside (PTX, InstructGPT): an example for eight replies."""
    update_kl: float = Field(default=0.1, gt=0)
    """A step's epochs end early where the mean log-ratio to the sampling policy exceeds this."""
    check_every: int = Field(default=5, ge=1)
    """Steps between looks at the regression set; the last step that holds it is kept."""

    @field_validator("prompt_sets")
    @classmethod
    def _are_shares_of_one_whole(cls, shares: dict[str, float]) -> dict[str, float]:
        whole = sum(shares.values())
        if whole > 1 + 1e-9:
            raise ValueError(f"the shares add up to {whole:g}: make them 1 or less")
        return shares


class LoraSettings(BaseModel):
    """The adapters of `learner.weights` lora, on every linear layer of the blocks."""

    model_config = _FROZEN

    rank: int = Field(default=16, ge=1)
    """Rank of an adapter; one that a round goes on from keeps its own."""
    alpha: float = Field(default=32.0, gt=0)
    """An adapter counts alpha / rank times, so a higher rank needs no other learning rate."""


class LearnerSettings(BaseModel):
    """When a round runs, and with what."""

    model_config = _FROZEN

    method: Literal["ppo", "rloo"] = "ppo"
    """How the policy is improved: `rloo` compares a prompt's replies and needs no critic."""
    weights: Literal["full", "lora"] = "full"
    """What is trained: all weights, or adapters over v0, of which memory then holds one copy."""
    sampler: Literal["embedded", "vllm"] = "embedded"
    """What draws PPO's replies: an engine of the learner's, or, with lora, those of `vllm.urls`."""
    mode: Mode = "auto"
    """After a passed gate: promote; try on some people; wait for a person; or never serve."""
    schedule: str | None = None
    """Cron line (five fields, local time) of rounds that run whatever waits: `0 3 * * *`."""
    rankings_per_round: int = Field(default=32, ge=1)
    """New rankings that start a round at once."""
    least_rankings: int = Field(default=8, ge=1)
    """New rankings that start a round once the oldest has waited `longest_wait_s`."""
    demonstrations_per_round: int = Field(default=16, ge=1)
    """New demonstrations, half to judge by, that start fine-tuning; half as many if one waited."""
    personal_data: bool = False
    """Learn from what seems to hold mail addresses, phone numbers or payment cards, too."""
    longest_wait_s: float = Field(default=600.0, gt=0)
    """How long a few rankings or demonstrations wait for company, in seconds."""
    tick_s: float = Field(default=1.0, gt=0)
    """How often the learner looks for work, in seconds."""
    idle_s: float = Field(default=0.2, ge=0)
    """Seconds of a tick that go to new rankings and stored answers between rounds; 0 is none."""
    lease_s: float = Field(default=25.0, gt=1)
    """How long a silent learner keeps its round, in seconds; then another may take it over."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads of training; unset, one for each core. The server comes first on all of them."""
    processes: int = Field(default=1, ge=1)
    """Processes that share a round's work here, one for each GPU; torchrun starts its own."""
    save_every: int = Field(default=2, ge=1)
    """PPO steps between saves of a running round; a save takes about a twentieth of a step."""
    keep_versions: int = Field(default=12, ge=1)
    """Newest policies, and reward models, whose files stay; so does what serves or is needed."""
    tensorboard: Path | None = None
    """Folder for each round's figures as TensorBoard events; needs the package `tensorboard`."""
    device: str = "auto"
    """`auto`, `cpu`, or a CUDA device such as `cuda:0`."""
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of a frozen base: `auto` is float32 on a CPU, bfloat16 on a GPU. Trained ones are float32."""
    checkpointing: Literal["auto", "on", "off"] = "auto"
    """Make activations again instead of keeping them; `auto`: with lora, or to fit in memory."""
    seed: int = 0
    """Of rollouts and shuffles; a round adds its own number."""
    sft: SFTSettings = SFTSettings()
    lora: LoraSettings = LoraSettings()
    trust: TrustSettings = TrustSettings()
    reward: RewardSettings = RewardSettings()
    ppo: PPOSettings = PPOSettings()
    gate: GateSettings = GateSettings()

    @field_validator("ppo")
    @classmethod
    def _rloo_has_replies_to_compare(cls, ppo: PPOSettings, info: ValidationInfo) -> PPOSettings:
        if info.data.get("method") == "rloo" and ppo.replies_per_prompt < 2:
            raise ValueError("method `rloo` needs replies_per_prompt of 2 or more")
        return ppo

    @field_validator("ppo")
    @classmethod
    def _the_base_does_not_move(cls, ppo: PPOSettings, info: ValidationInfo) -> PPOSettings:
        if info.data.get("weights") == "lora" and ppo.anchor_decay is not None:
            raise ValueError("weights `lora` hold the reference fixed: it is the base of all nets")
        return ppo

    @field_validator("sampler")
    @classmethod
    def _engines_take_adapters(cls, sampler: str, info: ValidationInfo) -> str:
        """Whole weights would have to be loaded anew before every step."""
        if sampler == "vllm" and info.data.get("weights") == "full":
            raise ValueError("the sampler vllm takes adapters: set learner.weights to lora")
        return sampler

    @field_validator("dtype")
    @classmethod
    def _steps_are_not_lost(cls, dtype: str, info: ValidationInfo) -> str:
        """bfloat16 has 8 bits: a step of PPO is smaller than the gap between two numbers."""
        if info.data.get("weights") == "full" and dtype == "bfloat16":
            raise ValueError("full weights are trained in float32; bfloat16 is for a frozen base")
        return dtype

    @field_validator("device")
    @classmethod
    def _each_process_has_its_own(cls, device: str, info: ValidationInfo) -> str:
        if info.data.get("processes", 1) > 1 and device not in ("auto", "cpu"):
            raise ValueError(f"{device} is one device for several processes: use `auto` or `cpu`")
        return device

    @property
    def cpu_threads(self) -> int:
        """`threads`, or as many as there are cores."""
        return self.threads or os.cpu_count() or 1


class LogPart(Protocol):
    """What the learner process reads of the log's settings."""

    @property
    def format(self) -> Literal["plain", "json"]: ...


class Settings(Protocol):
    """What the learner process reads of the product's settings."""

    @property
    def data(self) -> Path: ...
    @property
    def model(self) -> str: ...
    @property
    def database(self) -> DatabaseSettings: ...
    @property
    def versions(self) -> VersionSettings: ...
    @property
    def learner(self) -> LearnerSettings: ...
    @property
    def vllm(self) -> VllmSettings: ...
    @property
    def log(self) -> LogPart: ...


ADAPTER_RATE = 10.0
"""Times the rate of all weights: the best for an adapter, in supervised and in reinforcement
learning, at any rank (Schulman et al. 2025, "LoRA Without Regret").
"""


def learning_rate_for(parameters: int, small: float) -> float:
    """AdamW's peak rate for a model of so many parameters: `small` up to 3.5 M, then falling.

    It falls with the power 3/4: PPO's 3e-4, measured on the built-in model, is about 4e-6 at 1 B,
    where published runs are.
    """
    return float(small * min(1.0, (3.5e6 / parameters) ** 0.75))
