"""People's own keys over HTTP: what they open, for whom they speak, and when they end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from feedback.labelling import PromptSource
from tests.feedback_databases import execute
from tests.openai_schemas import check
from tests.server_running import Running, chat_body, running, settings_for
from tests.tiny_models import make_tiny

KEY = "correct horse"
DAY_S = 86400


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder: Path = tmp_path_factory.mktemp("keys")
    settings = settings_for(folder / "data", make_tiny(folder / "model"))
    with running(settings.model_copy(update={"key": SecretStr(KEY)})) as server:
        yield server


class Person:
    """Somebody with a key of their own."""

    def __init__(self, server: Running, name: str, *scopes: str, **terms: Any) -> None:
        self.server = server
        info, self.key = server.store.issue_key(
            name, scopes or ("chat", "rank"), actor="test", **terms
        )
        self.key_id = info.id

    def ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.key}"}
        return httpx.request(method, self.server.url + path, json=body, headers=headers, timeout=60)

    def chat(self, n: int = 2, **fields: Any) -> list[str]:
        """The ids of so many answers."""
        answer = self.ask("POST", "/v1/chat/completions", chat_body(n=n, **fields))
        assert answer.status_code == 200, answer.text
        ids: list[str] = answer.json()["rankloop"]["candidates"]
        return ids

    def rank(self, candidates: list[str], **fields: Any) -> httpx.Response:
        ranks = list(range(1, len(candidates) + 1))
        return self.ask(
            "POST", "/v1/rankings", {"candidates": candidates, "ranks": ranks, **fields}
        )


def code(answer: httpx.Response) -> tuple[int, str]:
    check(answer.json(), "ErrorResponse")
    return answer.status_code, answer.json()["error"]["code"]


def test_a_key_speaks_for_its_person_whatever_openais_user_says(server: Running) -> None:
    """The answer is ada's, not that of the name which her client put in."""
    ada = Person(server, "ada")
    (candidate,) = ada.chat(1, user="end-user-7")
    assert server.store.candidate(candidate).person == "ada"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/conversations?user=bob", None),
        ("DELETE", "/v1/me?user=bob", None),
        ("PUT", "/v1/me/consent", {"given": False, "user": "bob"}),
    ],
)
def test_a_key_names_nobody_else(server: Running, method: str, path: str, body: Any) -> None:
    """Refused, rather than done to ada in bob's place."""
    assert code(Person(server, "ada").ask(method, path, body)) == (403, "not_your_name")


def test_the_key_of_the_settings_still_speaks_for_anybody(server: Running) -> None:
    """OpenAI's `user` is the person there."""
    candidate = server.chat(user="carl").json()["rankloop"]["candidates"][0]
    assert server.store.candidate(candidate).person == "carl"


def test_another_persons_ids_are_404(server: Running) -> None:
    """Just as ids that do not exist: seen, ranked, marked, shown better or gone on with."""
    ada, bob = Person(server, "ada"), Person(server, "bob")
    one, two = ada.chat(2)
    conversation = server.store.candidate(one).conversation_id
    completion = server.store.candidate(one).generation_id
    turns = [{"role": "user", "content": "Hello!"}, {"role": "assistant", "content": "Hi."}]
    for method, path, body in (
        ("GET", f"/v1/candidates/{one}", None),
        ("GET", f"/v1/candidates/{one}/tokens", None),
        ("GET", f"/v1/candidates/{one}/tokens/0", None),
        ("GET", f"/v1/conversations/{conversation}", None),
        ("POST", "/v1/rankings", {"candidates": [one, two], "ranks": [1, 2]}),
        ("POST", "/v1/rankings", {"completion_id": completion, "ranks": [1, 2]}),
        ("POST", "/v1/thumbs", {"candidate": one, "up": True}),
        ("POST", "/v1/ratings", {"candidate": one, "ratings": {"helpful": 3}}),
        ("POST", "/v1/demonstrations", {"candidate": one, "messages": turns}),
    ):
        assert code(bob.ask(method, path, body)) == (404, "not_found"), path
        mine = ada.ask(method, path, body)
        assert mine.status_code in (200, 201), (path, mine.text)


def test_a_key_that_reads_sees_everybodys_answers_and_ranks_none(server: Running) -> None:
    """An operator looks, and says nothing in others' place."""
    (one, two) = Person(server, "ada").chat(2)
    rita = Person(server, "rita", "read", "rank")
    assert rita.ask("GET", f"/v1/candidates/{one}").status_code == 200
    assert code(rita.rank([one, two])) == (404, "not_found")


def test_an_item_is_its_persons_who_ranks_what_others_were_answered(server: Running) -> None:
    """To bob, who was never given it, there is no such item; ada ranks it, carl's answers though
    they are."""
    ada, bob = Person(server, "ada"), Person(server, "bob")
    answers = server.chat(n=2, user="carl").json()["rankloop"]["candidates"]
    source = PromptSource("hello", (("user", "Hello!"),), "carl", "talk", None)
    server.store.add_task(source, answers, version="v0", wanted=1)
    item = ada.ask("GET", "/v1/tasks/next").json()["task"]
    assert sorted(answer["id"] for answer in item["answers"]) == sorted(answers)
    path, id = f"/v1/tasks/{item['id']}", item["id"]
    assert code(bob.ask("POST", f"{path}/skip", {"reason": "unclear"})) == (404, "not_found")
    assert code(bob.ask("POST", f"{path}/renew", {})) == (404, "not_found")
    assert code(bob.rank(answers, task_id=id)) == (404, "not_found")
    assert ada.rank(answers, task_id=id).status_code == 201


def test_an_answer_is_ranked_only_for_so_many_days(server: Running) -> None:
    """`server.ranking_days` is 30: of an answer of 31 days ago a ranking is refused, and said to
    come too late."""
    ada = Person(server, "ada")
    candidates = ada.chat(2)
    execute(
        f"sqlite:///{server.versions.root.parent / 'rankloop.db'}",
        "UPDATE generation SET created_at = created_at - :s WHERE id ="
        " (SELECT generation_id FROM candidate WHERE id = :id)",
        s=31 * DAY_S,
        id=candidates[0],
    )
    assert code(ada.rank(candidates)) == (409, "not_issued")


def test_an_answer_that_is_not_ranked_is_null(server: Running) -> None:
    """Not last: nothing was said of it."""
    ada = Person(server, "ada")
    answer = ada.ask("POST", "/v1/rankings", {"candidates": ada.chat(3), "ranks": [1, None, 2]})
    assert answer.json()["ranks"] == [1, None, 2]


def test_a_revoked_key_opens_nothing_after_five_seconds(server: Running) -> None:
    """It was in use until then, so the server had it at hand."""
    ada = Person(server, "ada")
    assert ada.ask("GET", "/v1/models").status_code == 200
    server.store.revoke(ada.key_id, actor="test")
    time.sleep(5)
    assert code(ada.ask("GET", "/v1/models")) == (401, "invalid_api_key")


def test_a_key_ends_when_it_expires(server: Running) -> None:
    """Half a second's key, some seconds later."""
    ada = Person(server, "ada", lifetime_s=0.5)
    time.sleep(0.6)
    assert code(ada.ask("GET", "/v1/models")) == (401, "invalid_api_key")


def test_a_key_is_good_whole_or_not_at_all(server: Running) -> None:
    """Of the same id, but another last character; or another key's secret."""
    ada, bob = Person(server, "ada"), Person(server, "bob")
    last = "0" if ada.key[-1] != "0" else "1"
    mixed = "_".join(["rl", ada.key_id, bob.key.rpartition("_")[2]])
    for wrong in (ada.key[:-1] + last, ada.key[:-1], mixed):
        answer = httpx.get(f"{server.url}/v1/models", headers={"authorization": f"Bearer {wrong}"})
        assert code(answer) == (401, "invalid_api_key")


def test_an_operators_act_is_on_record(server: Running) -> None:
    """Who, with which key, what, why, in which request, and what it came to; v77 there is not."""
    otto, admin = Person(server, "otto", "operate"), Person(server, "root", "admin")
    answer = otto.ask("POST", "/v1/versions/v77/promote", {"reason": "it is better"})
    assert answer.status_code == 404
    event = admin.ask("GET", "/v1/audit?limit=1").json()["data"][0]
    del event["id"], event["at"]
    assert event == {
        "object": "audit.event",
        "actor": "otto",
        "key": otto.key_id,
        "act": "POST /v1/versions/{id}/promote",
        "target": "/v1/versions/v77/promote",
        "reason": "it is better",
        "request_id": answer.headers["x-request-id"],
        "outcome": 404,
    }


def test_keys_given_and_ended_are_on_record(server: Running) -> None:
    """The last two acts are the commands', and no secret is among them."""
    ada = Person(server, "ada")
    server.store.revoke(ada.key_id, actor="test")
    ended, given = server.store.audit(2)
    assert (given.act.act, ended.act.act) == ("users add", "users revoke")
    assert ada.key_id in str(given)
    assert ada.key.rpartition("_")[2] not in str(given)


def test_with_one_key_given_nobody_comes_in_without(tmp_path: Path) -> None:
    """A server that everybody on this machine may use, until somebody is given a key: after two
    seconds no request without one is answered, and silence is no consent any longer."""
    with running(settings_for(tmp_path / "data", make_tiny(tmp_path / "model"))) as server:
        assert httpx.get(f"{server.url}/v1/learner").status_code == 200
        assert server.store.consent("ada").holds
        ada = Person(server, "ada")
        time.sleep(2.5)
        assert code(httpx.get(f"{server.url}/v1/learner")) == (401, "missing_api_key")
        assert ada.ask("GET", "/v1/learner").status_code == 200
        assert not server.store.consent("ada").holds


def test_whoever_was_shown_a_battle_may_judge_it(server: Running) -> None:
    """The answers are to ann's prompt; eve was shown them and may rank them, bob was not."""
    server.promote(server.publish(0.05, 0))
    server.store.add_prompts("week", [(("user", "What is hot?"),)], person="ann")
    eve, bob = Person(server, "eve"), Person(server, "bob")
    battle = eve.ask("POST", "/v1/battles", {"versions": ["v0", "v1"], "max_tokens": 8})
    assert battle.status_code == 200, battle.text
    shown = [given["id"] for given in battle.json()["answers"]]
    assert {server.store.candidate(id).person for id in shown} == {"ann"}
    assert bob.rank(shown).status_code == 404
    assert eve.rank(shown).status_code == 201
