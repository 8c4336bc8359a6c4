"""What the browser remembers survives, and what is not understood is forgotten."""

from __future__ import annotations

from ui.memory import Answer, Comparison, Conversation, Seen
from ui.wire import Version


def heard(*texts: str) -> Comparison:
    return Comparison(answers=[Answer(candidate=f"c-{t}", text=t, done=True) for t in texts])


def test_a_conversation_comes_back_as_it_was_kept() -> None:
    """Turns and an unfinished comparison survive the way through the browser's storage."""
    conversation = Conversation()
    conversation.say("Hello")
    conversation.hear(heard("Hi", "Good day"))
    assert Conversation.recall(conversation.keep()) == conversation


def test_a_value_that_does_not_fit_is_forgotten() -> None:
    """Whatever another version of the page stored, or a person edited, gives a fresh start."""
    assert Conversation.recall({"turns": "nonsense"}).turns == []
    assert Seen.recall(None).version is None


def test_a_message_without_an_answer_grows() -> None:
    """Two messages in a row would be two user turns, which chat templates do not know."""
    conversation = Conversation()
    conversation.say("Hello")
    conversation.say("Anybody there?")
    assert [turn.text for turn in conversation.turns] == ["Hello\nAnybody there?"]


def test_one_answer_is_a_turn() -> None:
    """A single answer continues the conversation at once."""
    conversation = Conversation()
    conversation.say("Hello")
    assert conversation.hear(heard("Hi")) is None
    assert [(turn.role, turn.text) for turn in conversation.turns] == [
        ("user", "Hello"),
        ("assistant", "Hi"),
    ]


def test_the_chosen_answer_continues_the_conversation() -> None:
    """After a ranking the model is given the best answer, not the others."""
    conversation = Conversation()
    conversation.say("Hello")
    conversation.hear(heard("Hi", "Good day"))
    conversation.go_on(1, ranked=True)
    assert [message.content for message in conversation.messages()] == ["Hello", "Good day"]
    assert (conversation.turns[-1].candidate, conversation.turns[-1].chosen_of) == ("c-Good day", 2)


def test_none_acceptable_leaves_the_message_unanswered() -> None:
    """The message can be asked again, or taken back into the box."""
    conversation = Conversation()
    conversation.say("Hello")
    conversation.hear(heard("Hi", "Good day"))
    conversation.go_on(None, ranked=True)
    assert conversation.unanswered
    assert conversation.take_back() == "Hello"
    assert conversation.turns == []


def test_stopped_answers_cannot_be_ranked() -> None:
    """The server keeps no record of answers that nobody waited for."""
    conversation = Conversation()
    conversation.say("Hello")
    assert conversation.hear(heard("H", "Goo"), stopped=True) == "Stopped."
    assert conversation.unanswered


def test_a_single_stopped_answer_is_kept_as_far_as_it_came() -> None:
    """What people have read stays in the conversation, and says that it was stopped."""
    conversation = Conversation()
    conversation.say("Hello")
    conversation.hear(heard("Good d"), stopped=True)
    assert (conversation.turns[-1].text, conversation.turns[-1].stopped) == ("Good d", True)


def live(id: str, *, resident: bool) -> Version:
    return Version(id=id, state="live", live=True, resident=resident)


def test_the_first_version_seen_is_kept_at_once() -> None:
    """Though it is still being loaded: else the one promoted a moment later would be the first, and
    no news."""
    assert Seen().misses(live("v1", resident=False))
    assert Seen(version="v1").misses(live("v2", resident=True))


def test_a_version_is_news_once_and_when_it_answers() -> None:
    """Before it is loaded there is nothing to show of it."""
    assert not Seen(version="v1").misses(live("v2", resident=False))
    assert not Seen(version="v2").misses(live("v2", resident=True))


def talk() -> Conversation:
    """Two questions, each answered once."""
    conversation = Conversation()
    for question, answer in (("Hello", "Hi"), ("And you?", "Fine")):
        conversation.say(question)
        conversation.hear(heard(answer))
    return conversation


def test_an_earlier_message_can_be_said_otherwise() -> None:
    """The conversation goes on from before it; an answer is no message."""
    conversation = talk()
    assert conversation.rewind(1) == ""
    assert conversation.rewind(2) == "And you?"
    assert [turn.text for turn in conversation.turns] == ["Hello", "Hi"]


def test_the_last_answer_can_be_asked_for_again() -> None:
    """The question is unanswered then; an unanswered one has nothing to take back."""
    conversation = talk()
    assert conversation.ask_again()
    assert conversation.unanswered
    assert not conversation.ask_again()


def test_a_system_prompt_stands_before_what_was_said() -> None:
    """An empty one is none."""
    conversation = talk()
    assert conversation.messages()[0].role == "user"
    conversation.system = "Be brief."
    first, second, *_ = conversation.messages()
    assert (first.role, first.content, second.content) == ("system", "Be brief.", "Hello")
