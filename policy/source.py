"""Where a model's files are, and how its texts become tokens: by name, without its weights.

A name is "builtin", a folder, or a Hugging Face hub id; a hub model already cached is not asked for
again. It needs no torch, and a process that has none may import it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from transformers import AutoConfig, AutoTokenizer, GenerationConfig

from policy.chat import Chat

BUILTIN = Path(__file__).parent / "builtin" / "weights"
_HUB_FILES = ["*.json", "*.jinja", "*.txt", "tokenizer.model", "model*.safetensors"]


class ModelNotFound(ValueError):
    """Nothing stands where the name points; the text says what was looked for."""


class UnsupportedModel(ValueError):
    """A model that is there but cannot be served; the text names it and says why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"Model {name!r} is not supported: {reason}.")
        self.name = name
        self.reason = reason


def resolve(name: str) -> Path:
    """The folder that "builtin", a folder's path or a hub id stands for; downloads a hub model that
    is not cached. Raises ModelNotFound."""
    folder = BUILTIN if name == "builtin" else Path(name).expanduser()
    if (folder / "config.json").is_file():
        return folder.resolve()
    if folder.is_dir() or name == "builtin" or folder.is_absolute() or name.startswith((".", "~")):
        raise ModelNotFound(f"Model {name!r}: there is no config.json in {folder.absolute()}.")
    try:
        return _snapshot(name)
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError) as error:
        raise ModelNotFound(
            f"Model {name!r}: there is no such folder, and the Hugging Face hub has no such model, "
            f"keeps it closed or cannot be reached, and it is not in the local cache. ({error})"
        ) from error


def load_chat(folder: Path) -> Chat:
    """A folder's tokenizer and chat format, without its weights. Raises NoChatTemplate."""
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return Chat(tokenizer, _eos_ids(folder))


def _snapshot(name: str) -> Path:
    """The cached snapshot if it is whole, so that a restart needs no network and a model changes
    under no data folder; else the hub's current one."""
    try:
        folder = Path(snapshot_download(name, allow_patterns=_HUB_FILES, local_files_only=True))
        if (folder / "config.json").is_file() and any(folder.glob("*.safetensors")):
            return folder
    except LocalEntryNotFoundError:
        pass
    return Path(snapshot_download(name, allow_patterns=_HUB_FILES, ignore_patterns=["*/*"]))


def _eos_ids(folder: Path) -> set[int]:
    """Every end-of-sequence id that the folder's configs name, each one id or a list."""
    configs: list[Any] = [AutoConfig.from_pretrained(folder, local_files_only=True)]
    if (folder / "generation_config.json").is_file():
        configs.append(GenerationConfig.from_pretrained(folder, local_files_only=True))
    ids: set[int] = set()
    for config in configs:
        eos: Any = getattr(config, "eos_token_id", None)
        ids |= {eos} if isinstance(eos, int) else set(eos or ())
    return ids
