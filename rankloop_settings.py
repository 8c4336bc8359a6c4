"""Where settings come together: `rankloop.toml`, then RANKLOOP_*, then flags; the later wins.

Every setting has one dotted name in all three: `server.port` is `[server] port`,
RANKLOOP_SERVER__PORT and `--server.port`. An unknown name is refused, with the nearest known one.
It imports no torch, no gradio and no SQL, and starts nothing.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from feedback.settings import DatabaseSettings, FeedbackSettings
from learner.settings import LearnerSettings
from policy.settings import VersionSettings
from policy.vllm.settings import VllmSettings
from rankloop_logs import LogSettings
from server.settings import ServerSettings
from ui.settings import UiSettings

ENV_PREFIX = "RANKLOOP_"
SECRETS = frozenset({"key", "server.oidc.client_secret"})


class UserError(Exception):
    """What the person at the keyboard can put right: one line, and the process ends with 2."""


class Settings(BaseModel):
    """All that can be set. Each section lives beside what it sets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: Path = Field(Path("data"), description="The one folder that holds all state.")
    model: str = Field("builtin", description="`builtin`, a folder, or a Hugging Face hub id.")
    key: SecretStr | None = Field(
        None, description="One bearer key for API and UI; needed off loopback."
    )
    database: DatabaseSettings = DatabaseSettings()
    versions: VersionSettings = VersionSettings()
    feedback: FeedbackSettings = FeedbackSettings()
    vllm: VllmSettings = VllmSettings()
    server: ServerSettings = ServerSettings()
    learner: LearnerSettings = Field(LearnerSettings(), validate_default=True)
    ui: UiSettings = UiSettings()
    log: LogSettings = LogSettings()

    @field_validator("key")
    @classmethod
    def _a_blank_key_is_none(cls, key: SecretStr | None) -> SecretStr | None:
        return key if key is not None and key.get_secret_value().strip() else None

    @field_validator("server")
    @classmethod
    def _vllm_is_somewhere(cls, server: ServerSettings, info: ValidationInfo) -> ServerSettings:
        vllm: VllmSettings | None = info.data.get("vllm")
        if server.sampler == "vllm" and vllm is not None and not (vllm.urls or vllm.command):
            raise ValueError("the sampler vllm needs vllm.urls, where its engines listen")
        return server

    @field_validator("learner")
    @classmethod
    def _rollouts_have_engines(
        cls, learner: LearnerSettings, info: ValidationInfo
    ) -> LearnerSettings:
        vllm: VllmSettings | None = info.data.get("vllm")
        if learner.sampler == "vllm" and vllm is not None and not vllm.urls:
            raise ValueError("the learner's sampler vllm needs vllm.urls, where its engines listen")
        return learner

    @field_validator("learner")
    @classmethod
    def _heads_can_think_unlike(
        cls, learner: LearnerSettings, info: ValidationInfo
    ) -> LearnerSettings:
        server: ServerSettings | None = info.data.get("server")
        if server is not None and server.pairing == "informative" and learner.reward.heads < 2:
            raise ValueError(
                "server.pairing is informative, which shows answers that heads of the reward model"
                f" think unlike of: set learner.reward.heads to 8, say (it is"
                f" {learner.reward.heads})"
            )
        return learner

    @property
    def api_url(self) -> str:
        """Where this machine reaches its own server."""
        return f"http://{reachable(self.server.host)}:{self.server.port}"

    @property
    def page_url(self) -> str:
        """Where people reach the page: as set, else where this machine does."""
        if self.ui.public_url is not None:
            return self.ui.public_url
        return self.own_page_url

    @property
    def own_page_url(self) -> str:
        """Where this machine reaches its own UI."""
        return f"http://{reachable(self.ui.host)}:{self.ui.port}"


def setting_names(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """Every dotted name: `data`, `model`, ..., `server.port`, ..., `learner.ppo.steps`, ..."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from setting_names(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def load_settings(
    config: Path | None,
    flags: Mapping[str, str],
    environment: Mapping[str, str] | None = None,
) -> Settings:
    """File < environment < flags. Raises UserError for a wrong name or value: which, and where."""
    sources: dict[str, str] = {}
    values: dict[str, Any] = {}
    for source, found in (
        _from_file(config),
        _from_environment(os.environ if environment is None else environment),
        ("flags", dict(flags)),
    ):
        for name, value in found.items():
            check_name(name, source)
            values[name], sources[name] = value, source
    try:
        return Settings.model_validate(_nest(values))
    except ValidationError as error:
        raise UserError(_describe(error, sources)) from None


def _from_file(config: Path | None) -> tuple[str, dict[str, Any]]:
    path = config or Path("rankloop.toml")
    if config is None and not path.exists():
        return str(path), {}
    try:
        return str(path), dict(_flatten(tomllib.loads(path.read_text(encoding="utf-8"))))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not TOML: {error}") from None


def _from_environment(environment: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """An empty variable counts as unset, as `docker run -e NAME` and compose files leave them."""
    found = {
        name.removeprefix(ENV_PREFIX).lower().replace("__", "."): value
        for name, value in environment.items()
        if name.startswith(ENV_PREFIX) and value
    }
    return "the environment", _with_files_read(found)


def _with_files_read(found: Mapping[str, str]) -> dict[str, str]:
    """`key_file`, the name of a file, as `key`, what the file holds, for every setting: secrets are
    handed to containers as files. A setting that is there itself goes before its file.
    """
    known, values = set(setting_names()), dict[str, str]()
    for name, value in found.items():
        setting = name.removesuffix("_file")
        if name in known or setting not in known:
            values[name] = value
        elif setting not in found:
            values[setting] = _secret(environment_name(name), value)
    return values


def _secret(variable: str, file: str) -> str:
    """What a file holds, without the end of its line; raises UserError, also where it is empty."""
    try:
        text = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{variable}: cannot read {file}: {error}") from None
    if not text:
        raise UserError(f"{variable}: {file} is empty")
    return text


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """A table is a section, unless it is a setting's own value."""
    for name, value in tree.items():
        if isinstance(value, dict) and f"{prefix}{name}" not in set(setting_names()):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _nest(values: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, value in values.items():
        *sections, leaf = name.split(".")
        branch = tree
        for section in sections:
            branch = branch.setdefault(section, {})
        branch[leaf] = value
    return tree


def check_name(name: str, source: str) -> None:
    known = list(setting_names())
    if name in known:
        return
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"; did you mean {_spelled(near[0], source)}?" if near else ""
    raise UserError(f"unknown setting {_spelled(name, source)} in {source}{hint}")


def _spelled(name: str, source: str) -> str:
    """A setting's name as it is written in that source."""
    if source == "the environment":
        return environment_name(name)
    return f"--{name}" if source == "flags" else name


def environment_name(name: str) -> str:
    return ENV_PREFIX + name.upper().replace(".", "__")


def _describe(error: ValidationError, sources: Mapping[str, str]) -> str:
    """The first thing wrong, in one line; values of secrets are never shown."""
    first = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    whole = next((known for known in sources if f"{name}.".startswith(f"{known}.")), name)
    source = sources.get(whole, "the settings")
    hidden = name in SECRETS or whole in SECRETS or isinstance(first["input"], BaseModel)
    given = "" if hidden else f" (given: {first['input']!r})"
    return f"{_spelled(name, source)} in {source}: {first['msg']}{given}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def reachable(host: str) -> str:
    """An address to connect to, for one to listen on."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{host}]" if ":" in host else host
