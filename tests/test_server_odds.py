"""An answer token by token, and what each was drawn from."""

from __future__ import annotations

import asyncio
import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from server.answers.odds import drawn_again
from server.errors import ApiError
from tests.server_running import Running, eventually, running, settings_for
from tests.tiny_models import make_tiny


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("odds")
    settings = settings_for(folder / "data", make_tiny(folder / "model"), spare_versions=1)
    with running(settings) as server:
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


def test_nothing_of_a_stop_string_is_shown(server: Running) -> None:
    """The answer ends before it, and so do the texts; both routes say the same of a token."""
    whole = server.chat(seed=3).json()["choices"][0]["message"]["content"]
    answer = server.chat(seed=3, stop=whole[4:6]).json()
    id = answer["rankloop"]["candidates"][0]
    tokens = server.http.get(f"/v1/candidates/{id}/tokens").json()["data"]
    assert "".join(token["text"] for token in tokens) == whole[:4]
    last = server.http.get(f"/v1/candidates/{id}/tokens/{len(tokens) - 1}").json()
    assert last["text"] == tokens[-1]["text"]


@pytest.mark.parametrize(
    "wishes",
    [
        {"top_k": 50},
        {"top_k": 40, "temperature": 0.4, "top_p": 0.9},
        {"top_k": 40, "presence_penalty": 1.5, "repetition_penalty": 1.2, "min_tokens": 12},
    ],
)
def test_the_odds_are_those_of_the_draw(server: Running, wishes: dict[str, Any]) -> None:
    """Whatever was asked for: the token's own chance among them is the one on record."""
    record = answered(server, **wishes)
    for place in (0, len(record["tokens"]) - 1):
        path = f"/v1/candidates/{record['id']}/tokens/{place}"
        token = server.http.get(path, params={"top": 50}).json()
        chances = {odd["token"]: odd["logprob"] for odd in token["odds"]}
        assert sum(map(math.exp, chances.values())) == pytest.approx(1, abs=1e-4)
        assert list(chances.values()) == sorted(chances.values(), reverse=True)
        assert chances[token["token"]] == pytest.approx(record["logprobs"][place], abs=1e-4)


def test_an_older_versions_answer_keeps_its_odds(server: Running) -> None:
    """Its own version draws again, also where it has to be loaded for that; one whose folder is
    gone cannot."""
    first, second, third, fourth = (server.publish(0.05, seed=seed) for seed in range(4))
    server.promote(first)
    record = answered(server, temperature=0.5)
    path = f"/v1/candidates/{record['id']}/tokens/0"
    before = server.http.get(path).json()
    for id in (second, third, fourth):
        server.promote(id)

    def make_room() -> None:
        assert server.chat(model=f"rankloop@{second}").status_code == 200
        eventually(lambda: first not in server.serving.resident_ids)

    make_room()
    assert server.http.get(path).json() == before
    make_room()
    shutil.rmtree(server.versions.folder(first))
    gone = server.http.get(path)
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "version_not_resident")


def test_more_than_there_is_memory_for_now_is_a_400(server: Running) -> None:
    """And the thread that decodes lives on."""
    record = answered(server)
    stored = server.store.candidate(record["id"])
    resident = server.serving.residence.pin(None)
    assert resident is not None
    long = replace(stored, version=resident.id, prompt_ids=stored.prompt_ids * 99)
    server.serving.residence.release(resident)
    with pytest.raises(ApiError, match="maximum context length"):
        asyncio.run(drawn_again(server.serving, resident, long, 0, 5))
    assert server.chat().status_code == 200


def test_what_is_not_there_is_a_404(server: Running) -> None:
    """A place beyond the answer, and an answer that nobody gave."""
    record = answered(server)
    beyond = server.http.get(f"/v1/candidates/{record['id']}/tokens/{len(record['tokens'])}")
    assert (beyond.status_code, beyond.json()["error"]["param"]) == (404, "place")
    assert server.http.get("/v1/candidates/none/tokens/0").status_code == 404
    assert server.http.get("/v1/candidates/none/tokens").status_code == 404
