"""The built-in model's generator, its checkers and the tokens it is trained on."""

from __future__ import annotations

import re
from itertools import islice
from random import Random

import pytest

from policy.builtin import corpus, evaluate, style
from policy.builtin.compose import compose
from policy.builtin.facts import wordlist
from policy.builtin.generator import Example, Prompt, examples, held_out, prompts, skills
from policy.builtin.task import Answer, Task, mistaken
from policy.builtin.tokenizer import ROLE_TOKENS, train_tokenizer
from policy.chat import Chat, Message


def some(count: int, seed: int = 3) -> list[Example]:
    return list(islice(examples(seed), count))


@pytest.fixture(scope="module")
def drawn() -> list[Example]:
    """Training conversations, enough to count by."""
    return some(3000, seed=1)


@pytest.fixture(scope="module")
def held() -> list[Prompt]:
    """Held-out prompts, enough to count by."""
    return prompts(4, 1000, "held_out")


def spoken(text: str) -> str:
    """What was said, whatever the marks and capitals."""
    return text.casefold().strip(" ?.!")


def asking(skill: str) -> Prompt:
    """The first held-out prompt of a skill."""
    return next(prompt for prompt in prompts(11, 600, "held_out") if prompt.skill == skill)


def capital_of_france() -> Prompt:
    task = Task(
        skill="capital",
        user="What is the capital of France?",
        bare=("{a}",),
        said="Paris",
        answer=Answer(frozenset({"paris"}), frozenset({"rome", "oslo"})),
        cues=frozenset({"paris", "rome", "oslo"}),
    )
    return Prompt((Message("user", task.user),), "capital", True, task)


def two_plus_three() -> Prompt:
    answer = Answer(frozenset({"5"}), numeric=True, given=frozenset({"2", "3"}))
    task = Task(skill="plus", user="What is 2 plus 3?", bare=("{a}",), said="5", answer=answer)
    return Prompt((Message("user", task.user),), "plus", True, task)


def test_same_seed_gives_same_conversations() -> None:
    """A seed fixes the conversations, and another seed gives others."""
    assert some(40) == some(40)
    assert some(40) != some(40, seed=4)


def test_same_seed_gives_same_prompts() -> None:
    """A seed fixes the prompts."""
    assert prompts(5, 30, "held_out") == prompts(5, 30, "held_out")


def test_conversations_alternate_and_end_with_the_assistant() -> None:
    """One to four turns of user and assistant follow an optional system message."""
    for example in some(300):
        roles = [message.role for message in example.messages if message.role != "system"]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert 1 <= len(roles) // 2 <= 4


def test_mistakes_can_be_left_out() -> None:
    """Of sums asked in digits an eighth is answered wrongly on purpose, or none where none is."""

    def mistakes(wrong: float) -> int:
        drawn = islice(examples(5, wrong=wrong), 3000)
        asked = (e.messages[-2:] for e in drawn if e.skill == "plus")
        sums = ((re.search(r"(\d+) (?:plus|\+) (\d+)", q.content), r.content) for q, r in asked)
        return sum(
            str(int(found[1]) + int(found[2])) not in re.findall(r"\d+", reply)
            for found, reply in sums
            if found
        )

    assert mistakes(style.WRONG_SHARE) > 0
    assert mistakes(0.0) == 0


def test_there_are_a_few_dozen_skills_and_most_have_a_right_answer(held: list[Prompt]) -> None:
    """Several dozen skills, 55 to 75 % of held-out prompts with a right answer."""
    assert len(skills()) >= 36
    assert 0.55 < sum(prompt.checkable for prompt in held) / len(held) < 0.75


def test_held_out_prompts_are_plenty_and_distinct(held: list[Prompt]) -> None:
    """A thousand held-out prompts begin with a thousand different messages of people."""
    firsts = [next(m.content for m in prompt.messages if m.role == "user") for prompt in held]
    assert len({spoken(first) for first in firsts}) >= 970


def test_prompts_can_be_all_checkable_or_none() -> None:
    """`checkable` chooses prompts with a right answer, or without one."""
    assert all(prompt.checkable for prompt in prompts(3, 40, "held_out", checkable=True))
    assert not any(prompt.checkable for prompt in prompts(3, 40, "held_out", checkable=False))


def test_no_training_conversation_holds_a_held_out_wording(
    drawn: list[Example], held: list[Prompt]
) -> None:
    """What a held-out prompt asks last is asked by nobody in training, unless of something told."""
    asked = {spoken(p.task.user) for p in held if not p.skill.startswith("recall")}
    told = {spoken(m.content) for e in drawn for m in e.messages if m.role == "user"}
    assert len(asked) > 600
    assert not asked & told


def test_held_out_names_are_never_told_in_training(drawn: list[Example]) -> None:
    """A name that is held out is in no training conversation."""
    names = {name.casefold() for name in wordlist("names")}
    told = {
        word
        for example in drawn
        for message in example.messages
        if message.role == "user" and "name" in message.content.casefold()
        for word in style.words(message.content)
    }
    kept = {name for name in names if held_out(f"name {name}")}
    assert len(kept) > 10
    assert len(names & told) > 10
    assert not kept & told


def test_composed_replies_have_the_style_asked_for(held: list[Prompt]) -> None:
    """Most replies (255 of 300) measure as asked on all seven axes at once."""
    rng, hits = Random(1), 0
    for prompt in held[:300]:
        wanted = style.draw(rng)
        reply = compose(prompt.task, wanted, rng)
        hits += style.measure(prompt.task.user, reply) == wanted
    assert hits >= 255


def test_axes_are_independent_in_training_replies(drawn: list[Example]) -> None:
    """No two axes of manner hang together: Cramer's V at most .12 over 3,000 last replies."""
    plain, talks = Task(skill="x", user="", bare=()), [example.messages for example in drawn]
    pairs = [(Prompt(m[:-1], "x", False, plain), m[-1].content) for m in talks]
    assert evaluate.strongest_tie(pairs)[1] <= 0.12


@pytest.mark.parametrize(
    ("text", "axis", "value"),
    [
        ("Paris.", "length", "brief"),
        ("It is Paris, and that is a large city in the north.", "length", "medium"),
        ("My friend, it is Paris.", "warmth", "warm"),
        ("It's Paris.", "formality", "casual"),
        ("Certainly. It is Paris.", "formality", "formal"),
        ("it is Paris", "marks", "lower"),
        ("It is Paris!", "marks", "excited"),
        ("Paris. Shall we go on?", "asks_back", "yes"),
        ("The capital of France is Paris.", "takes_up", "yes"),
        ("It is Paris.", "takes_up", "no"),
        ("- Paris.\n- It is big.", "form", "dashes"),
        ("1. Paris.\n2. It is big.", "form", "numbers"),
    ],
)
def test_style_is_read_from_text(text: str, axis: str, value: str) -> None:
    """Each axis is measured by what a person would see."""
    assert getattr(style.measure("What is the capital of France?", text), axis) == value


@pytest.mark.parametrize(
    "reply", ["Paris.", "paris", "PARIS!", "1. Paris\n2. Ok?", "It's Paris, pal!", "France: Paris"]
)
def test_right_answers_are_right_in_any_style(reply: str) -> None:
    """Case, marks, lists and company do not matter."""
    assert capital_of_france().right(reply)


@pytest.mark.parametrize("reply", ["Rome.", "Paris or Rome.", "I do not know.", "", "Parisian"])
def test_wrong_answers_are_wrong(reply: str) -> None:
    """Another answer, two answers or none is not right."""
    assert capital_of_france().right(reply) is False


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        ("5", True),
        ("five", True),
        ("2 plus 3 is 5!", True),
        ("1. It is 5.\n2. Ok?", True),
        ("6", False),
        ("It is 5 or 6", False),
        ("2 plus 3", False),
        ("fifty", False),
    ],
)
def test_numbers_are_checked_as_numbers(reply: str, right: bool) -> None:
    """Spelled numbers count, the question's own numbers and a list's do not."""
    assert two_plus_three().right(reply) is right


def test_wrong_replies_are_told_from_right_ones_in_every_skill(held: list[Prompt]) -> None:
    """The generator's right replies check as right and its wrong ones as wrong."""
    rng = Random(2)
    for prompt in (prompt for prompt in held if prompt.checkable):
        good = compose(prompt.task, style.draw(rng), rng)
        bad = compose(mistaken(prompt.task, rng), style.draw(rng), rng)
        assert prompt.right(good), (prompt.task.user, good)
        assert not prompt.right(bad), (prompt.task.user, bad)


def test_own_replies_are_on_topic(held: list[Prompt]) -> None:
    """At least 98 % of the generator's own replies to held-out prompts pass the checker."""
    rng = Random(3)
    assert sum(p.on_topic(compose(p.task, style.draw(rng), rng)) for p in held[:400]) >= 392


def test_other_skills_replies_are_off_topic(held: list[Prompt]) -> None:
    """At most one in six replies to something else passes."""
    rng, asked = Random(4), held[:300]
    replies = [compose(prompt.task, style.draw(rng), rng) for prompt in asked]
    shifted = zip(asked, [*asked[7:], *asked[:7]], [*replies[7:], *replies[:7]], strict=True)
    passed = [here.on_topic(reply) for here, other, reply in shifted if here.skill != other.skill]
    assert sum(passed) / len(passed) < 1 / 6


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "...",
        "paris paris paris",
        "Paris xqzt blorf.",
        "the is of Paris what cold and to",
        "The capital of France is Paris and the",
        "It is Paris. That is easy to remember. That is easy to remember.",
    ],
)
def test_babble_is_off_topic(reply: str) -> None:
    """Nothing, nonsense, repetition and cut text are not well-formed."""
    assert not capital_of_france().on_topic(reply)


def test_small_talk_has_no_right_answer() -> None:
    """Without a right answer, `right` is None."""
    assert asking("greeting").right("Hello.") is None


def test_rows_are_what_the_chat_template_gives() -> None:
    """Training rows equal the prompt's ids and the reply's, and only replies are learned."""
    drawn = some(60)
    tokenizer = train_tokenizer((m.content for e in drawn for m in e.messages), 400)
    chat = Chat(tokenizer)
    for example, row in zip(drawn, corpus.encode(drawn, tokenizer), strict=True):
        reply = chat.encode_reply(example.messages[-1].content)
        assert row.ids.tolist() == chat.encode(example.messages[:-1]) + reply
        learned = [part != corpus.NOT_LEARNED for part in row.part[-len(reply) - 1 :]]
        assert learned == [False, *[True] * len(reply)]


def test_typed_special_tokens_stay_text() -> None:
    """A person who types the template's marks types characters."""
    tokenizer = train_tokenizer(["hello there"], 300)
    special = {tokenizer.convert_tokens_to_ids(name) for name in ROLE_TOKENS.values()}
    ids = Chat(tokenizer).encode([Message("user", "hi <|assistant|> <|end|>")])
    assert [token for token in ids if token in special] == [ids[1], ids[-1]]


def test_a_batch_holds_rows_of_like_length() -> None:
    """Batches keep to the token budget, lose no row, and waste under a tenth on padding."""
    drawn = some(500)
    tokenizer = train_tokenizer((m.content for e in drawn for m in e.messages), 400)
    rows = corpus.encode(drawn, tokenizer)
    made = list(corpus.batches(rows, 2048, corpus.pad_id(tokenizer), 1))
    sizes = [batch.ids_BT.numel() for batch in made]
    assert sum(len(batch.ids_BT) for batch in made) == 500
    assert max(sizes) <= 2048
    assert sum(len(row.ids) for row in rows) / sum(sizes) > 0.9


def test_the_words_that_answer_are_marked() -> None:
    """In "It is Paris, paris." both words are marked, and nothing else is."""
    tokenizer = train_tokenizer(["It is Paris, paris."] * 9, 400)
    said = (Message("user", "Paris?"), Message("assistant", "It is Paris, paris."))
    (row,) = corpus.encode([Example(said, "capital", (("Paris",),))], tokenizer)
    marked = [id for id, part in zip(row.ids, row.part, strict=True) if part == corpus.ANSWER]
    assert tokenizer.decode(marked) == " Paris paris"
