"""Programs that speak OpenAI's API, each unchanged, against a running server.

They live in environments of their own (`make clients`); the scripts in tests/clients use each as
its own documentation says, and print what they got.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server_running import Running, running, settings_for
from tests.tiny_models import make_tiny

SCRIPTS = Path(__file__).with_name("clients")
CLIENTS = SCRIPTS.parent.parent / ".clients"
SECONDS = 300


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny(tmp_path_factory.mktemp("clients") / "model", max_position_embeddings=1024)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Running]:
    with running(settings_for(tmp_path_factory.mktemp("data"), model)) as server:
        yield server


def python_of(client: str) -> str:
    """Of a client's environment."""
    return str(CLIENTS / client / "bin" / "python")


def found_by(interpreter: str, script: str, server: Running, *more: Path) -> Any:
    """What a script printed last."""
    assert Path(interpreter).is_file(), "`make clients` installs what this test needs"
    environment = {
        **os.environ,
        "NODE_PATH": str(CLIENTS / "node_modules"),
        "PYTHONWARNINGS": "ignore",
    }
    done = subprocess.run(
        [interpreter, str(SCRIPTS / script), server.url, *map(str, more)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def text(server: Running) -> str:
    """The answer that everybody who asks with seed 7 gets."""
    answer = server.chat("Hello!", seed=7, max_tokens=16).json()
    said: str = answer["choices"][0]["message"]["content"]
    return said


def test_openai_for_node(server: Running, text: str) -> None:
    """One answer, the same as a stream, the list of models and an error."""
    found = found_by(shutil.which("node") or "", "openai_node.cjs", server)
    assert (found["text"], found["streamed"]) == (text, text)
    assert found["models"] == ["rankloop", "rankloop@v0"]
    assert found["unknown_model"] == 404


def test_langchain(server: Running, text: str) -> None:
    """One answer, the same as a stream and twice at once, with its usage."""
    found = found_by(python_of("langchain-openai"), "langchain_chat.py", server)
    assert (found["text"], found["streamed"]) == (text, text)
    assert found["batch"] == [text, text]
    assert found["tokens"] > 16


def test_litellm(server: Running, text: str) -> None:
    """Two answers to one request, a stream, a plain completion; an unknown model is its
    NotFoundError."""
    found = found_by(python_of("litellm"), "litellm_calls.py", server)
    assert (found["texts"][0], found["streamed"]) == (text, text)
    assert len(found["texts"]) == 2
    assert found["plain"]
    assert found["error"] == "NotFoundError"


def test_hugging_face(server: Running, text: str) -> None:
    """One answer, and the same as a stream."""
    assert found_by(sys.executable, "huggingface_chat.py", server) == {
        "text": text,
        "streamed": text,
    }


def test_llm(server: Running, text: str, tmp_path: Path) -> None:
    """From its command line, whole and streamed."""
    found = found_by(python_of("llm"), "llm_prompt.py", server, tmp_path)
    assert found == {"text": text + "\n", "streamed": text + "\n"}


def test_lm_eval(server: Running, model: Path, tmp_path: Path) -> None:
    """A task of written answers, and one of log-likelihoods: those are what /v1/completions says of
    the same prompt when it is asked directly."""
    found = found_by(python_of("lm-eval"), "lm_eval_tasks.py", server, tmp_path, model)
    assert len(found["written"]) == 4
    assert 0 <= found["accuracy"] <= 1
    body = {"model": "rankloop", "prompt": "What is 1 plus 2? 3", "max_tokens": 0}
    answer = server.http.post("/v1/completions", json={**body, "echo": True, "logprobs": 1}).json()
    logps = answer["choices"][0]["logprobs"]["token_logprobs"]
    # " 3" is two tokens of this tokenizer: the space, which ends the question, and the digit.
    assert found["choices"][0][0] in [pytest.approx(sum(logps[-n:]), abs=1e-4) for n in (1, 2)]


def test_guidellm(server: Running, model: Path, tmp_path: Path) -> None:
    """All of its requests are counted as answered."""
    found = found_by(python_of("guidellm"), "guidellm_load.py", server, tmp_path, model)
    assert (found["successful"], found["errored"]) == (6, 0)
