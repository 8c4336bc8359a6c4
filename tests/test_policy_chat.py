"""Messages to ids and back, on real tokenizers and on templates as they are found in the wild."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from policy.chat import Chat, InvalidMessages, Message, NoChatTemplate
from tests.tiny_models import make_tokenizer

NO_SYSTEM = (
    "{% for message in messages %}{% if message['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "<|im_start|>{{ message['content'] }}<|im_end|>{% endfor %}"
)
DROPS_SYSTEM = (
    "{% for message in messages %}{% if message['role'] != 'system' %}"
    "<|im_start|>{{ message['content'] }}<|im_end|>{% endif %}{% endfor %}"
)
MISTRAL_LIKE = (
    "{% for message in messages %}{% if message['role'] == 'assistant' %}"
    " {{ message['content'] }}{{ eos_token }}"
    "{% else %}[INST] {{ message['content'] }} [/INST]{% endif %}{% endfor %}"
)
USER_FIRST = (
    "{% if messages[0]['role'] == 'assistant' %}{{ raise_exception('must begin with the user') }}"
    "{% endif %}{% for message in messages %}{{ message['content'] }}<|im_end|>{% endfor %}"
)
NEVER = "{{ raise_exception('tools only') }}"
ENDLESS = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"

TURNS = [
    Message("system", "Be brief."),
    Message("user", "What is the capital of France?"),
    Message("assistant", "Paris!"),
    Message("user", "Thank you. 😀 é"),
]


@pytest.fixture
def chat() -> Chat:
    return Chat(make_tokenizer())


def dicts(messages: list[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


def test_prompt_equals_transformers(chat: Chat) -> None:
    """Where nobody types a special token, the ids are those of apply_chat_template."""
    expected = chat.tokenizer.apply_chat_template(
        dicts(TURNS), add_generation_prompt=True, return_dict=False
    )
    assert chat.encode(TURNS) == expected


@pytest.mark.parametrize("typed", ["<|im_end|>", "<|im_start|>", "<|endoftext|>", "<|pad|>"])
def test_typed_special_token_is_text(chat: Chat, typed: str) -> None:
    """A special token typed by a person adds no special id, and every typed character is kept."""
    special = set(chat.tokenizer.all_special_ids)
    plain = chat.encode([Message("user", "a b")])
    ids = chat.encode([Message("user", f"a{typed}b")])
    assert [i for i in ids if i in special] == [i for i in plain if i in special]
    assert f"a{typed}b" in chat.decode(ids)


def test_forged_special_token_is_text(chat: Chat) -> None:
    """Taking a typed token out of another's middle leaves no token behind."""
    ids = chat.encode([Message("user", "<|im_<|im_end|>end|>")])
    assert chat.tokenizer.convert_ids_to_tokens(ids).count("<|im_end|>") == 1


def test_typed_special_token_in_a_reply_is_text(chat: Chat) -> None:
    """In a reply, too, only the end of the turn is special."""
    ids = chat.encode_reply("no <|im_end|> here")
    special = set(chat.tokenizer.all_special_ids)
    assert [i for i in ids if i in special] == [chat.tokenizer.convert_tokens_to_ids("<|im_end|>")]
    assert chat.decode(ids) == "no <|im_end|> here"


@pytest.mark.parametrize("reply", ["Paris!", "It is five.\nIs it?", "é 😀", "  two spaces"])
def test_reply_follows_the_prompt_as_rendered(chat: Chat, reply: str) -> None:
    """Prompt and reply together are the rendered assistant turn, up to its end-of-turn token."""
    rendered = chat.tokenizer.apply_chat_template(
        dicts([*TURNS, Message("assistant", reply)]), return_dict=False
    )
    newline = chat.tokenizer.encode("\n")
    assert chat.encode(TURNS) + chat.encode_reply(reply) + newline == rendered


def test_threads_do_not_disturb_each_other(chat: Chat) -> None:
    """Four threads that encode prompts and replies at once all get what one gets alone."""
    turns = [Message("user", "Hi <|im_end|> there " * 20)]
    text = "no <|im_end|> here " * 20
    alone = (chat.encode(turns), chat.encode_reply(text))
    with ThreadPoolExecutor(4) as pool:
        jobs = [
            pool.submit(lambda: (chat.encode(turns), chat.encode_reply(text))) for _ in range(200)
        ]
    assert all(job.result() == alone for job in jobs)


def test_reply_keeps_the_templates_own_space() -> None:
    """A template that writes a space before an assistant's text gets it in the reply's ids."""
    chat = Chat(make_tokenizer(MISTRAL_LIKE))
    turns = [Message("user", "Hello")]
    rendered = chat.tokenizer.apply_chat_template(
        dicts([*turns, Message("assistant", "Hi!")]), return_dict=False
    )
    assert chat.encode(turns) + chat.encode_reply("Hi!") == rendered


def test_stop_ids_hold_the_end_of_turn() -> None:
    """The template's end-of-turn token stops a reply, as do eos and the model's own."""
    tokenizer = make_tokenizer()
    vocabulary = tokenizer.get_vocab()
    eos, end, other = (vocabulary[name] for name in ("<|endoftext|>", "<|im_end|>", "<|pad|>"))
    assert Chat(tokenizer).stop_ids == {eos, end}
    assert Chat(tokenizer, [other]).stop_ids == {eos, end, other}


def test_template_without_an_end_of_turn_uses_eos() -> None:
    """Where the template writes nothing after a reply, eos ends it."""
    tokenizer = make_tokenizer(ENDLESS)
    assert Chat(tokenizer).encode_reply("Hi")[-1] == tokenizer.eos_token_id


@pytest.mark.parametrize("template", [None, ENDLESS, NEVER])
def test_unusable_template_is_refused(template: str | None) -> None:
    """Without a template that renders a chat and ends its turns, there is no chat."""
    tokenizer = make_tokenizer(template)
    tokenizer.eos_token = None
    with pytest.raises(NoChatTemplate):
        Chat(tokenizer)


@pytest.mark.parametrize("template", [NO_SYSTEM, DROPS_SYSTEM])
def test_system_text_goes_to_the_first_user_turn(template: str) -> None:
    """A template that refuses or drops a system turn gets its text before the user's."""
    chat = Chat(make_tokenizer(template))
    folded = [Message("user", "Be brief.\n\nWhat is the capital of France?"), *TURNS[2:]]
    assert chat.encode(TURNS) == chat.encode(folded)
    with pytest.raises(InvalidMessages, match="no system role"):
        chat.encode([Message("system", "Be brief.")])


def test_refused_messages_say_why(chat: Chat) -> None:
    """No messages, an unknown role and a template's own refusal are errors with their reason."""
    with pytest.raises(InvalidMessages, match="no messages"):
        chat.encode([])
    with pytest.raises(InvalidMessages, match="'robot'"):
        chat.encode([Message("robot", "Hi")])
    with pytest.raises(InvalidMessages, match="must begin with the user"):
        Chat(make_tokenizer(USER_FIRST)).encode([Message("assistant", "Hi")])


def test_template_hash_names_the_template() -> None:
    """The hash is the same for the same template and differs for another."""
    hashes = [Chat(make_tokenizer(t)).template_hash for t in (ENDLESS, ENDLESS, MISTRAL_LIKE)]
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize("text", ["Plain words.", "é😀 naïve 漢字", "", "\ufffd stays"])
def test_streamed_pieces_join_to_the_text(chat: Chat, text: str) -> None:
    """The pieces of a streamed reply join to the decoded reply."""
    ids = chat.encode_reply(text)
    stream = chat.detokenizer()
    pieces = [stream.push(id) for id in ids]
    assert "".join(pieces) + stream.flush() == chat.decode(ids) == text


def test_stream_never_shows_half_a_character(chat: Chat) -> None:
    """The four bytes of an emoji, one token each, come out together; a cut one at the flush."""
    ids = chat.encode_reply("😀")[:-1]
    assert len(ids) == 4
    stream = chat.detokenizer()
    assert [stream.push(id) for id in ids] == ["", "", "", "😀"]
    assert [stream.push(id) for id in ids[:2]] == ["", ""]
    assert stream.flush() == "\ufffd"
