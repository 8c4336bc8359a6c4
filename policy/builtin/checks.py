"""Is a reply right, and is it to the point? Case, marks and bullets do not matter."""

from __future__ import annotations

from policy.builtin.phrases import expanded
from policy.builtin.style import words
from policy.builtin.task import Answer, Task

_SPELLED = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
).split()
_DIGITS = {word: str(number) for number, word in enumerate(_SPELLED)}


def right(answer: Answer, reply: str) -> bool:
    """Whether `reply` holds the answer and nothing that contradicts it."""
    if answer.numeric:
        said = set(numbers(reply))
        return answer.accepted <= said and not said - answer.accepted - answer.given
    text = _padded(reply)
    found = {option for option in answer.accepted if f" {option} " in text}
    # "mexico" inside the right "mexico city" contradicts nothing.
    rivals = {rival for rival in answer.rivals if f" {rival} " in text}
    rivals = {
        rival for rival in rivals if not any(f" {rival} " in f" {option} " for option in found)
    }
    return len(found) >= answer.need and not rivals


def belongs(task: Task, reply: str) -> bool:
    """Whether `reply` holds any of the words by which a reply to `task` is known."""
    if task.answer is not None and task.answer.numeric:
        return bool(numbers(reply))
    text = _padded(reply)
    return any(f" {cue} " in text for cue in task.cues)


def numbers(text: str) -> list[str]:
    """Every number as digits; "one" counts only in a text of at most two words ("a good one")."""
    found = words(text)
    digits = [_DIGITS.get(word, word) for word in found if word != "one" or len(found) <= 2]
    return [word for word in digits if word.isdigit()]


def _padded(text: str) -> str:
    return f" {' '.join(words(expanded(text)))} "
