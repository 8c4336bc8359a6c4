"""The product on several machines' processes: engines, servers over one database, and a proxy."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from benchmarks.spread import spread
from tests.vllm.conftest import CONTEXT, PYTHON

pytestmark = pytest.mark.vllm


def test_all_of_it_answers_through_the_proxy(model: Path, tmp_path: Path) -> None:
    """Both servers do, by v0, and what each of them wrote down is read from the other."""

    def ask(seed: int) -> httpx.Response:
        messages = [{"role": "user", "content": f"Number {seed}"}]
        body = {"model": "rankloop", "messages": messages, "seed": seed, "max_tokens": 8}
        return product.api.client.post("/v1/chat/completions", json=body)

    with spread(tmp_path, str(model), {}, vllm=PYTHON, context=CONTEXT) as product:
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(ask, range(16)))
        said = [answer.json()["rankloop"] for answer in answers]
        assert {one["version"] for one in said} == {"v0"}
        assert len({answer.headers["x-rankloop-server"] for answer in answers}) == 2
        for one in said:
            assert product.api.get(f"/v1/candidates/{one['candidates'][0]}")["version"] == "v0"
