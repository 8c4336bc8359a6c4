"""An answer token by token, and what each was drawn from."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest

from tests.server_running import Running, running, settings_for
from tests.tiny_models import make_tiny


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("odds")
    with running(settings_for(folder / "data", make_tiny(folder / "model"))) as server:
        yield server


def answered(server: Running, **fields: Any) -> dict[str, Any]:
    """The second of two answers, as it is on record."""
    answer = server.chat(n=2, **fields).json()
    found = server.http.get(f"/v1/candidates/{answer['rankloop']['candidates'][1]}")
    record: dict[str, Any] = found.json()
    return record


def test_the_tokens_texts_are_the_answers(server: Running) -> None:
    """Joined, with the log-probability that each was drawn with."""
    record = answered(server)
    tokens = server.http.get(f"/v1/candidates/{record['id']}/tokens").json()["data"]
    assert "".join(token["text"] for token in tokens) == record["text"]
    assert [token["token"] for token in tokens] == record["tokens"]
    assert [token["logprob"] for token in tokens] == record["logprobs"]


@pytest.mark.parametrize(
    "wishes",
    [
        {},
        {"temperature": 0.4, "top_p": 0.9},
        {"presence_penalty": 1.5, "repetition_penalty": 1.2, "min_tokens": 12},
    ],
)
def test_the_odds_are_those_of_the_draw(server: Running, wishes: dict[str, Any]) -> None:
    """Whatever was asked for: the token's own chance among them is the one on record."""
    record = answered(server, **wishes)
    for place in (0, len(record["tokens"]) - 1):
        path = f"/v1/candidates/{record['id']}/tokens/{place}"
        token = server.http.get(path, params={"top": 50}).json()
        chances = {odd["token"]: odd["logprob"] for odd in token["odds"]}
        assert sum(map(math.exp, chances.values())) < 1 + 1e-5
        assert list(chances.values()) == sorted(chances.values(), reverse=True)
        if token["token"] in chances:
            expected = record["logprobs"][place]
            assert chances[token["token"]] == pytest.approx(expected, abs=1e-4)


def test_an_older_versions_answer_keeps_its_odds(server: Running) -> None:
    """Asked after another version went live, it is still its own version that draws again."""
    record = answered(server, temperature=0.5)
    path = f"/v1/candidates/{record['id']}/tokens/0"
    before = server.http.get(path).json()
    server.promote(server.publish(0.05))
    assert server.http.get(path).json() == before


def test_what_is_not_there_is_a_404(server: Running) -> None:
    """A place beyond the answer, and an answer that nobody gave."""
    record = answered(server)
    beyond = server.http.get(f"/v1/candidates/{record['id']}/tokens/{len(record['tokens'])}")
    assert (beyond.status_code, beyond.json()["error"]["param"]) == (404, "place")
    assert server.http.get("/v1/candidates/none/tokens/0").status_code == 404
    assert server.http.get("/v1/candidates/none/tokens").status_code == 404
