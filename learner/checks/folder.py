"""What a version's folder holds: whole, finite, loadable, and in the reference's language."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors import safe_open

from feedback.records import Reason
from learner.checks.case import Case
from policy.chat import Message
from policy.model import Model
from policy.source import UnsupportedModel
from policy.versions import CorruptVersion

PROBES = (
    (Message("system", "Be brief."), Message("user", "What is 12 + 7?\nÅngström's naïve café")),
    (Message("user", "Hello!"), Message("assistant", "Hi there."), Message("user", "And now?")),
)
"""Conversations that a template and a tokenizer may render differently."""


def integrity(case: Case) -> Reason:
    """Whether every file is the one that the manifest names."""
    try:
        manifest = case.versions.verify(case.version)
    except CorruptVersion as error:
        return Reason("integrity", False, None, None, str(error))
    files = len(manifest.files)
    return Reason("integrity", True, None, None, f"All {files} files match the manifest.")


def finite(case: Case) -> Reason:
    """Whether all weights are numbers. They are read from the files, one at a time: a model that
    holds others does not load.
    """
    bad = list(_not_finite(case.versions.folder(case.version)))
    text = f"{bad[0]} holds values that are not finite." if bad else "All weights are finite."
    return Reason("finite", not bad, float(len(bad)), 0.0, text)


def _not_finite(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - it is no mapping
                if not torch.isfinite(file.get_tensor(name)).all():
                    yield name


def loaded(case: Case) -> tuple[Model | None, Reason]:
    """The version as the server will load it, and whether it could be."""
    device = str(case.base.net.device)
    try:
        model = case.versions.load(case.version, device=device, base=case.base)
    except UnsupportedModel as error:
        return None, Reason("loads", False, None, None, str(error))
    return model, Reason("loads", True, None, None, "It loads, and decodes as a plain pass does.")


def language(model: Model, case: Case) -> Reason:
    """Whether tokenizer and chat template are the reference's: log-probabilities, rankings and
    adapters speak of its tokens.
    """
    differing = list(_differing(model, case.base))
    text = "Tokenizer and chat template are "
    text += f"not {case.base_id}'s: {differing[0]} differ." if differing else f"{case.base_id}'s."
    return Reason("language", not differing, float(len(differing)), 0.0, text)


def _differing(ours: Model, theirs: Model) -> Iterator[str]:
    if ours.tokenizer.get_vocab() != theirs.tokenizer.get_vocab():
        yield "the tokens"
    if ours.chat.stop_ids != theirs.chat.stop_ids:
        yield "the tokens that end a reply"
    for turns in PROBES:
        if ours.chat.encode(turns) != theirs.chat.encode(turns):
            yield f"the token ids of {turns[-1].content!r}"
    if ours.chat.encode_reply("Fine, thanks.") != theirs.chat.encode_reply("Fine, thanks."):
        yield "the token ids of a reply"
