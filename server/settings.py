"""What can be set about serving, and what the server reads of the other sections."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from feedback.settings import DatabaseSettings, FeedbackSettings
from feedback.trust.settings import TrustSettings
from policy.settings import VersionSettings
from policy.vllm.settings import VllmSettings

from .doors.limit_settings import LimitSettings
from .doors.sign_in_settings import OidcSettings, SignInSettings
from .operate.canary_settings import CanarySettings
from .said.task_settings import TaskSettings


class ServerSettings(BaseModel):
    """The `server` section."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(
        default="127.0.0.1",
        description="Address to listen on. Any but a loopback one needs `key`.",
    )
    port: int = Field(default=8000, ge=0, le=65535, description="Port of the API.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto",
        description="Where the models live: `auto` takes a GPU when torch sees one.",
    )
    dtype: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="Numbers that answers are computed in: `auto` is float32 on a CPU and bfloat16"
        " on a GPU. In bfloat16 an answer may differ in company from what it is alone.",
    )
    sampler: Literal["embedded", "vllm"] = Field(
        default="embedded",
        description="What generates the answers: `embedded` is the engine of this server; `vllm`"
        " are the engines of `vllm.urls`.",
    )
    pairing: Literal["same", "informative"] = Field(
        default="same",
        description="Which answers an item to label shows: `same` are one version's samples as they"
        " come; `informative` draws `server.tasks.drawn` of them and shows those of which the heads"
        " of the reward model think most unlike (`learner.reward.heads`).",
    )
    aliases: tuple[str, ...] = Field(
        default=(),
        description="Other names that the live version goes by, for programs that insist on one of"
        " their own.",
    )
    rows: int = Field(
        default=32,
        ge=1,
        le=1024,
        description="Answers decoded at a time by each version; more share the machine's memory.",
    )
    cache_gib: float | None = Field(
        default=None,
        gt=0,
        description="Memory of each version's attention cache, in GiB. Without it what `rows` whole"
        " contexts take, at most an eighth of the machine's or the container's.",
    )
    prefill: int = Field(
        default=256,
        ge=1,
        description="Prompt tokens read in one step: more start sooner, fewer hold others up less.",
    )
    queue: int = Field(
        default=256,
        ge=1,
        description="Requests in flight, waiting ones included, before a new one is told to retry.",
    )
    queue_share: int | None = Field(
        default=None,
        ge=1,
        description="Requests in flight that one person may have. Without it the queue is shared"
        " as people come.",
    )
    wait_s: float = Field(
        default=60.0,
        gt=0,
        description="Seconds that a request waits for its first token before it is told to retry.",
    )
    max_n: int = Field(default=16, ge=1, description="Most answers that one request may ask for.")
    max_tokens: int = Field(
        default=1024,
        ge=1,
        description="Longest answer in tokens: the most to ask for, and what one gets unasked.",
    )
    spare_versions: int = Field(
        default=2,
        ge=0,
        description="Versions asked for by name that stay in memory beside live, previous and v0.",
    )
    threads: int = Field(
        default=1,
        ge=1,
        description="Torch's threads. More than one fights with the learner for a small machine.",
    )
    ranking_days: float = Field(
        default=30.0,
        gt=0,
        description="Days that a person with a key of their own has to judge an answer that they"
        " were given: later the answer is no longer what they have before them.",
    )
    grace_s: float = Field(
        default=5.0,
        ge=0,
        le=6,
        description="Seconds that running answers have to finish when the server is told to stop.",
    )

    tasks: TaskSettings = TaskSettings()
    canary: CanarySettings = CanarySettings()
    limits: LimitSettings = LimitSettings()
    sign_in: SignInSettings = SignInSettings()
    oidc: OidcSettings = OidcSettings()

    @model_validator(mode="after")
    def _answers_fit_the_rows(self) -> ServerSettings:
        if self.max_n > self.rows:
            raise ValueError(f"max_n is {self.max_n}, above rows, which is {self.rows}")
        drawn = {"answers": self.tasks.answers}
        if self.pairing == "informative":
            drawn["drawn"] = self.tasks.drawn
            if self.tasks.drawn <= self.tasks.answers:
                raise ValueError(
                    f"pairing is informative and tasks.drawn {self.tasks.drawn}, not above"
                    f" tasks.answers, which is {self.tasks.answers}: there is nothing to choose"
                )
        for name, count in drawn.items():
            if count > self.rows:
                raise ValueError(f"tasks.{name} is {count}, above rows, which is {self.rows}")
        return self


class RewardPart(Protocol):
    """What of the reward's settings decides which feedback there is."""

    @property
    def criteria(self) -> Mapping[str, float]: ...
    @property
    def kind(self) -> str: ...


class PPOPart(Protocol):
    """What the server reads of PPO's settings."""

    @property
    def prompt_sets(self) -> Mapping[str, float]: ...


class LearnerPart(Protocol):
    """What the server reads of the learner's settings."""

    @property
    def mode(self) -> str: ...
    @property
    def rankings_per_round(self) -> int: ...
    @property
    def demonstrations_per_round(self) -> int: ...
    @property
    def trust(self) -> TrustSettings: ...
    @property
    def reward(self) -> RewardPart: ...
    @property
    def ppo(self) -> PPOPart: ...


class LogPart(Protocol):
    """What the server reads of the log's settings."""

    @property
    def format(self) -> Literal["plain", "json"]: ...
    @property
    def prompts(self) -> bool: ...


class Settings(Protocol):
    """The settings that the serving process reads."""

    @property
    def data(self) -> Path: ...
    @property
    def model(self) -> str: ...
    @property
    def key(self) -> SecretStr | None: ...
    @property
    def database(self) -> DatabaseSettings: ...
    @property
    def versions(self) -> VersionSettings: ...
    @property
    def feedback(self) -> FeedbackSettings: ...
    @property
    def server(self) -> ServerSettings: ...
    @property
    def vllm(self) -> VllmSettings: ...
    @property
    def learner(self) -> LearnerPart: ...
    @property
    def log(self) -> LogPart: ...
