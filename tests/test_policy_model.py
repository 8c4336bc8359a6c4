"""Which models are found, loaded and refused, each one tried as a real folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaForSequenceClassification,
    MambaConfig,
    MambaForCausalLM,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)

from policy.model import load
from policy.source import ModelNotFound, UnsupportedModel, resolve
from tests.tiny_models import SHAPES, make_config, make_tiny, make_tokenizer

SMALL: dict[str, Any] = {"vocab_size": 400, "hidden_size": 32, "num_hidden_layers": 1}


def save(net: PreTrainedModel, folder: Path) -> Path:
    net.save_pretrained(folder)
    make_tokenizer().save_pretrained(folder)
    return folder


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_full_attention_decoders_load(shape: str, tmp_path: Path) -> None:
    """Every supported shape loads for inference, in float32, with its context and its stops."""
    model = load(make_tiny(tmp_path, shape), name="tiny")
    assert (model.name, model.folder, model.context) == ("tiny", tmp_path, 256)
    assert not model.net.training
    assert {parameter.dtype for parameter in model.net.parameters()} == {torch.float32}
    vocabulary = model.tokenizer.get_vocab()
    assert model.chat.stop_ids == {vocabulary["<|endoftext|>"], vocabulary["<|im_end|>"]}


def test_dtype_is_the_callers(tmp_path: Path) -> None:
    """Asked for bfloat16, a CPU holds bfloat16."""
    net = load(make_tiny(tmp_path), dtype=torch.bfloat16).net
    assert {parameter.dtype for parameter in net.parameters()} == {torch.bfloat16}


def test_dropout_is_zero(tmp_path: Path) -> None:
    """A model trained with dropout has none here, in training mode either."""
    net = load(make_tiny(tmp_path, attention_dropout=0.5)).net
    net.train()
    ids = torch.arange(4, 40)[None]
    assert torch.equal(net(input_ids=ids).logits, net(input_ids=ids).logits)


@pytest.mark.parametrize(
    ("shape", "overrides", "reason"),
    [
        ("mistral", {"sliding_window": 64}, "mistral attends over a sliding window of 64 tokens"),
        (
            "qwen2",
            {"use_sliding_window": True, "sliding_window": 64, "max_window_layers": 1},
            r"qwen2 has layers of other kinds than full attention \(sliding_attention\)",
        ),
        (
            "llama",
            {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}},
            "llama has dynamic rotary positions",
        ),
        ("llama", {"vocab_size": 300}, "tokens but 300 embeddings"),
    ],
)
def test_unsupported_attention_is_named(
    shape: str, overrides: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    """A model that the KV slots cannot serve is refused by name and with its reason."""
    folder = make_tiny(tmp_path, shape, **overrides)
    with pytest.raises(UnsupportedModel, match=rf"Model 'mine' is not supported: .*{reason}"):
        load(folder, name="mine")


def test_window_as_wide_as_the_context_is_full_attention(tmp_path: Path) -> None:
    """A sliding window that never slides is accepted."""
    assert load(make_tiny(tmp_path, "mistral", sliding_window=256)).context == 256


def test_state_space_models_are_refused(tmp_path: Path) -> None:
    """Mamba keeps a state, not keys and values."""
    folder = save(MambaForCausalLM(MambaConfig(**SMALL, state_size=4)), tmp_path)
    with pytest.raises(UnsupportedModel, match="mamba keeps a recurrent state"):
        load(folder)


def test_encoder_decoders_are_refused(tmp_path: Path) -> None:
    """T5 reads its prompt in an encoder."""
    config = T5Config(vocab_size=400, d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=4)
    folder = save(T5ForConditionalGeneration(config), tmp_path)
    with pytest.raises(UnsupportedModel, match="t5 is an encoder-decoder"):
        load(folder)


def test_encoders_are_refused(tmp_path: Path) -> None:
    """A BERT, which sees what comes after, does not pass for a decoder."""
    config = BertConfig(**SMALL, num_attention_heads=4, intermediate_size=32)
    folder = save(BertModel(config), tmp_path)
    with pytest.raises(UnsupportedModel):
        load(folder)


def test_code_in_the_folder_is_never_run(tmp_path: Path) -> None:
    """A model that needs its own Python is refused, and that Python stays unread."""
    folder = make_tiny(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "homemade", "auto_map": {"AutoConfig": "homemade.Config"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "homemade.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(UnsupportedModel, match="its config cannot be read"):
        load(folder)
    assert not (tmp_path / "ran").exists()


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    """Weights that only torch.load could read are not read."""
    folder = make_tiny(tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UnsupportedModel, match="no safetensors weights"):
        load(folder)


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    """A gap is an error: transformers would fill it at random."""
    folder = make_tiny(tmp_path)
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UnsupportedModel, match=r"lack 1 weights, model\.layers\.1\.mlp\.up_proj"):
        load(folder)


def test_reward_models_do_not_chat(tmp_path: Path) -> None:
    """A folder with a scalar head and an untied embedding has no head to answer with."""
    config = make_config("llama", tie_word_embeddings=False, num_labels=1)
    assert isinstance(config, LlamaConfig)
    net = LlamaForSequenceClassification(config)  # type: ignore[no-untyped-call]
    folder = save(net, tmp_path)
    with pytest.raises(UnsupportedModel, match="lm_head"):
        load(folder)


def test_no_chat_template_is_refused(tmp_path: Path) -> None:
    """A base model without a template is refused by name."""
    with pytest.raises(UnsupportedModel, match=r"'bare' is not supported: .*no chat template"):
        load(make_tiny(tmp_path, chat_template=None), name="bare")


def test_folders_resolve_to_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path, absolute or relative, is the folder; one without a model says what is missing."""
    folder = make_tiny(tmp_path / "tiny")
    monkeypatch.chdir(tmp_path)
    assert resolve(str(folder)) == resolve("tiny") == resolve("./tiny") == folder
    (tmp_path / "empty").mkdir()
    for name in ("empty", "./nowhere", str(tmp_path / "nowhere"), "~/nowhere-at-all"):
        with pytest.raises(ModelNotFound, match=r"no config\.json in /.*(empty|nowhere)"):
            resolve(name)


def test_hub_models_come_from_the_cache_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cached hub id resolves without a network; another says what was looked for."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    repository = tmp_path / "models--team--tiny"
    snapshot = make_tiny(repository / "snapshots" / ("0" * 40))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    assert resolve("team/tiny") == snapshot
    assert load(resolve("team/tiny")).context == 256
    with pytest.raises(ModelNotFound, match="'team/other': there is no such folder, and the Hugg"):
        resolve("team/other")
