"""Can this box train this model?"""

from __future__ import annotations

import json
from pathlib import Path

from learner.memory import missing, parameters
from policy.model import load
from tests.tiny_models import make_tiny


def write_header(file: Path, shape: list[int]) -> None:
    """A safetensors header that promises a tensor; the data behind it is never read here."""
    header = json.dumps({"w": {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}}).encode()
    file.write_bytes(len(header).to_bytes(8, "little") + header)


def test_parameters_are_counted_from_file_headers(tmp_path: Path) -> None:
    """The same number as the loaded model's, tied embeddings once."""
    make_tiny(tmp_path, "llama", seed=0)
    assert parameters(tmp_path) == load(tmp_path).net.num_parameters()


def test_a_tiny_model_lacks_nothing(tmp_path: Path) -> None:
    """There is memory for some thousand weights anywhere that tests run."""
    make_tiny(tmp_path, "llama", seed=0)
    assert missing(tmp_path) is None


def test_a_model_too_big_says_what_is_missing(tmp_path: Path) -> None:
    """10^12 weights at 28 bytes each are about 26,077 GiB."""
    write_header(tmp_path / "model.safetensors", [10**6, 10**6])
    text = missing(tmp_path)
    assert text is not None
    assert "needs about 26077.0 GiB" in text
    assert "the model serves and rankings are recorded" in text
