"""Adapters over a shared base: nothing held twice, nothing mixed, files that peft reads."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from policy import adapters
from policy.model import load, load_adapter
from policy.source import UnsupportedModel
from policy.versions import CorruptVersion, Versions
from tests.tiny_models import SHAPES, make_tiny

IDS_1T = torch.arange(4, 40)[None]

peft_warns = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")
"""peft asks transformers by an older name."""


def logits(net: nn.Module) -> Tensor:
    found: Tensor = net(input_ids=IDS_1T).logits.detach()
    return found


def adapted(base: PreTrainedModel, seed: int = 0, change: float = 0.1) -> PreTrainedModel:
    """A shared copy whose adapter says something."""
    net = adapters.share(base)
    adapters.attach(net, rank=4, alpha=8.0, seed=seed, base="some/base")
    stir(net, seed, change)
    return net


def stir(net: PreTrainedModel, seed: int, change: float = 0.1) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _, weight in adapters.own_weights(net):
            weight.add_(change * torch.randn(weight.shape, generator=generator))


@pytest.fixture
def base(tmp_path: Path) -> PreTrainedModel:
    return load(make_tiny(tmp_path / "model")).net


def test_a_copy_is_on_the_same_tensors(base: PreTrainedModel) -> None:
    """Every parameter and buffer is the other's own, and no module is."""
    copy = adapters.share(base)
    for mine, its in zip(
        chain(copy.parameters(), copy.buffers()),
        chain(base.parameters(), base.buffers()),
        strict=True,
    ):
        assert mine is its
    assert not {*map(id, copy.modules())} & {*map(id, base.modules())}


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_a_fresh_adapter_changes_nothing(shape: str, tmp_path: Path) -> None:
    """Bit for bit: its B is 0. It lies on all seven linear layers of both blocks."""
    base = load(make_tiny(tmp_path, shape)).net
    before, net = logits(base), adapters.share(base)
    adapters.attach(net, rank=4, alpha=8.0, seed=0, base="some/base")
    assert torch.equal(logits(net), before)
    assert len(list(adapters.own_weights(net))) == 2 * 7 * 2


def test_the_base_is_bit_exact_beside_its_adapters(base: PreTrainedModel) -> None:
    """Whatever two adapters over it say."""
    before = logits(base)
    one, two = adapted(base, 1), adapted(base, 2)
    found = [logits(net) for net in (one, two)]
    assert torch.equal(logits(base), before)
    assert not torch.equal(found[0], before)
    assert not torch.equal(found[0], found[1])


def test_switched_off_an_adapter_is_the_base(base: PreTrainedModel) -> None:
    """Bit for bit, by peft's own switch."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    net = adapted(base)
    for module in net.modules():
        if isinstance(module, BaseTunerLayer):
            module.enable_adapters(False)
    assert torch.equal(logits(net), logits(base))


def test_only_the_adapter_is_trained(base: PreTrainedModel) -> None:
    """The base is frozen, in the copy and by itself."""
    net = adapted(base)
    own = {id(weight) for _, weight in adapters.own_weights(net)}
    assert {id(weight) for weight in net.parameters() if weight.requires_grad} == own
    assert not any(weight.requires_grad for weight in base.parameters())


def test_equal_seeds_give_equal_adapters(base: PreTrainedModel) -> None:
    """And leave torch's own generator as it was."""
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    one, two, other = adapted(base, 1, 0.0), adapted(base, 1, 0.0), adapted(base, 2, 0.0)
    assert torch.equal(torch.rand(1), expected)
    weights = [next(adapters.own_weights(net))[1] for net in (one, two, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_over_bfloat16_an_adapter_is_float32(tmp_path: Path) -> None:
    """Steps of 1e-4 would be lost in eight bits."""
    base = load(make_tiny(tmp_path), dtype=torch.bfloat16).net
    net = adapted(base)
    assert {weight.dtype for _, weight in adapters.own_weights(net)} == {torch.float32}
    assert logits(net).dtype is torch.bfloat16


def test_saved_and_loaded_it_says_the_same(base: PreTrainedModel, tmp_path: Path) -> None:
    """Bit for bit, over the same base, and it can go on being trained."""
    net, again = adapted(base), adapters.share(base)
    adapters.save(net, tmp_path / "adapter")
    adapters.load(again, tmp_path / "adapter")
    assert torch.equal(logits(again), logits(net))
    assert all(weight.requires_grad for _, weight in adapters.own_weights(again))


@peft_warns
def test_peft_reads_what_is_saved(tmp_path: Path) -> None:
    """PeftModel over the base of its own gives the same logits, and without the adapter v0's."""
    from peft import PeftModel

    folder = make_tiny(tmp_path / "model")
    net = adapted(load(folder).net)
    adapters.save(net, tmp_path / "adapter")
    peft = PeftModel.from_pretrained(load(folder).net, str(tmp_path / "adapter"))
    assert torch.equal(logits(peft), logits(net))
    with peft.disable_adapter():
        assert torch.equal(logits(peft), logits(load(folder).net))


def test_an_adapter_of_another_shape_is_refused(base: PreTrainedModel, tmp_path: Path) -> None:
    """By the name of the first weight that does not fit."""
    narrow = load(make_tiny(tmp_path / "narrow", hidden_size=32)).net
    adapters.save(adapted(base), tmp_path / "adapter")
    with pytest.raises(UnsupportedModel, match=r"no model\.layers\.0\.self_attn\.q_proj"):
        adapters.load(adapters.share(narrow), tmp_path / "adapter")


def test_an_adapter_of_more_layers_is_refused(base: PreTrainedModel, tmp_path: Path) -> None:
    """What the base has no place for is named."""
    shallow = load(make_tiny(tmp_path / "shallow", num_hidden_layers=1)).net
    adapters.save(adapted(base), tmp_path / "adapter")
    with pytest.raises(UnsupportedModel, match=r"no place for base_model\.model\.model\.layers\.1"):
        adapters.load(adapters.share(shallow), tmp_path / "adapter")


def test_a_loaded_adapter_answers_with_the_bases_tokenizer(tmp_path: Path) -> None:
    """A model of its own name and folder, on the base's tensors."""
    base = load(make_tiny(tmp_path / "model"))
    adapters.save(adapted(base.net), tmp_path / "adapter")
    model = load_adapter(tmp_path / "adapter", base, name="v1")
    assert (model.name, model.folder, model.chat) == ("v1", tmp_path / "adapter", base.chat)
    embeddings = [net.get_input_embeddings().weight for net in (model.net, base.net)]
    assert embeddings[0] is embeddings[1]


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    versions = Versions(tmp_path / "data")
    versions.install_base(str(make_tiny(tmp_path / "model")))
    return versions


def publish(versions: Versions, seed: int = 0) -> PreTrainedModel:
    """v1, an adapter over v0; its net."""
    base = versions.load("v0")
    net = adapters.share(base.net)
    adapters.attach(net, rank=4, alpha=8.0, seed=seed, base=versions.read("v0").base)
    stir(net, seed)
    adapters.save(net, Path(versions.root).parent / f"made{seed}")
    model = load_adapter(Path(versions.root).parent / f"made{seed}", base)
    versions.publish("v1", model, kind="adapter", parent="v0", round=1)
    return model.net


def test_a_published_adapter_is_two_files(versions: Versions) -> None:
    """peft's, and they name the base as the manifest does."""
    publish(versions)
    manifest = versions.verify("v1")
    assert set(manifest.files) == {adapters.CONFIG, adapters.WEIGHTS}
    assert (manifest.kind, versions.base_of("v1"), versions.base_of("v0")) == (
        "adapter",
        "v0",
        None,
    )
    assert f'"base_model_name_or_path": "{manifest.base}"' in (
        versions.folder("v1") / adapters.CONFIG
    ).read_text(encoding="utf-8")


def test_a_published_adapter_is_loaded_over_the_base_at_hand(versions: Versions) -> None:
    """With v0 given it is on its tensors; without, on those of a v0 of its own."""
    net, base = publish(versions), versions.load("v0")
    model = versions.load("v1", base=base)
    assert torch.equal(logits(model.net), logits(net))
    assert model.net.get_input_embeddings().weight is base.net.get_input_embeddings().weight
    assert torch.equal(logits(versions.load("v1").net), logits(net))


def test_a_flipped_bit_in_an_adapter_is_found(versions: Versions) -> None:
    """By its hash, as in any version."""
    publish(versions)
    file = versions.folder("v1") / adapters.WEIGHTS
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(CorruptVersion, match="sha256"):
        versions.load("v1")


def test_an_adapter_over_another_base_does_not_verify(versions: Versions) -> None:
    """Its manifest names the base by digest."""
    publish(versions)
    file = versions.folder("v1") / "manifest.json"
    digest = versions.read("v0").digest
    file.write_text(file.read_text().replace(digest, "0" * 64))
    with pytest.raises(CorruptVersion, match="another base than v0"):
        versions.verify("v1")
