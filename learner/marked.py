"""Stored rankings, thumbs and ratings as what reward models are trained on.

A ranking is a group, with the ratings that came with it; one by a criterion that counts orders its
answers by that alone. One person's thumbs of one prompt's
answers are a group of good and bad ones, for a model of that kind alone; ratings given by
themselves are a group that orders nothing. Without criteria that count no rating is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from feedback.preferences import THUMB, Answer, MarkedPrompt, RankedPrompt
from learner.batching import Group
from learner.criteria import Scale
from learner.ranked_group import RankedGroup
from learner.reward_settings import RewardSettings

OVERALL = "overall"
"""The criterion whose ratings are margins; of others, "harm" say, more may be worse."""

Values = Sequence[float | None]


def taught_by(settings: RewardSettings) -> tuple[str, ...]:
    """The criteria of the marks that such a model learns from."""
    thumbs = (THUMB,) if settings.kind == "binary" else ()
    return settings.weighed_criteria + thumbs


def sides_of(
    rankings: Sequence[RankedPrompt], marked: Sequence[MarkedPrompt], settings: RewardSettings
) -> dict[str, list[RankedGroup]]:
    """What to learn from on each side of the split: rankings first, in their order."""
    scales = _scales(rankings, marked, settings.weighed_criteria)
    sides: dict[str, list[RankedGroup]] = {"train": [], "judge": []}
    for ranked in rankings:
        if ranked.criterion is None:
            sides[ranked.split].append(_with_ratings(ranked, scales))
        elif ranked.criterion in settings.weighed_criteria:
            sides[ranked.split].append(_by_criterion(ranked, ranked.criterion))
    for prompt in marked:
        sides[prompt.split] += _groups(prompt, scales)
    return sides


def ranked_group(ranked: RankedPrompt) -> RankedGroup:
    """A stored ranking as tokens; unranked answers are left out."""
    placed = [place for place, rank in enumerate(ranked.ranks) if rank]
    answers = [ranked.answers[place] for place in placed]
    overall = (ranked.ratings or {}).get(OVERALL)
    return RankedGroup(
        ranked.conversation_id,
        Group(ranked.prompt_ids, tuple(answer.token_ids for answer in answers)),
        tuple(rank for rank in ranked.ranks if rank),
        tuple(answer.text for answer in answers),
        ranked.none_acceptable,
        None if overall is None else tuple(overall[place] for place in placed),
        weight=ranked.weight,
    )


def _with_ratings(ranked: RankedPrompt, scales: Mapping[str, Scale]) -> RankedGroup:
    """With the ratings of the answers that are ranked."""
    group = ranked_group(ranked)
    given = ranked.ratings or {}
    placed = [place for place, rank in enumerate(ranked.ranks) if rank]
    told = {name: [given[name][place] for place in placed] for name in scales if name in given}
    return replace(group, criteria=_standard(ranked.person, told, scales)) if told else group


def _by_criterion(ranked: RankedPrompt, criterion: str) -> RankedGroup:
    """As one that says nothing of the whole answers."""
    group = ranked_group(ranked)
    return replace(
        group, ranks=(), none_acceptable=False, ratings=None, orders={criterion: group.ranks}
    )


def _groups(prompt: MarkedPrompt, scales: Mapping[str, Scale]) -> Iterator[RankedGroup]:
    """The thumbs as a ranking of good over bad, and the ratings as one without ranks."""
    thumbs = prompt.values.get(THUMB, ())
    pairs = [(a, t) for a, t in zip(prompt.answers, thumbs, strict=False) if t is not None]
    if pairs:
        up = tuple(bool(thumb) for _, thumb in pairs)
        ranks = tuple(1 if good else 2 for good in up)
        yield replace(_group(prompt, [answer for answer, _ in pairs], ranks), thumbs=up)
    told = {name: values for name, values in prompt.values.items() if name in scales}
    if told:
        criteria = _standard(prompt.person, told, scales)
        yield replace(_group(prompt, prompt.answers, ()), criteria=criteria)


def _group(prompt: MarkedPrompt, answers: Sequence[Answer], ranks: tuple[int, ...]) -> RankedGroup:
    replies = tuple(answer.token_ids for answer in answers)
    texts = tuple(answer.text for answer in answers)
    return RankedGroup(prompt.conversation_id, Group(prompt.prompt_ids, replies), ranks, texts)


def _standard(
    person: str, told: Mapping[str, Values], scales: Mapping[str, Scale]
) -> dict[str, tuple[float | None, ...]]:
    """Ratings by criterion as deviations from their person's mean."""
    return {
        name: tuple(None if v is None else scales[name].standard(person, v) for v in values)
        for name, values in told.items()
    }


def _scales(
    rankings: Sequence[RankedPrompt], marked: Sequence[MarkedPrompt], names: Iterable[str]
) -> dict[str, Scale]:
    """How people use the scale of each criterion that counts and was rated."""
    said: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for name in names:
        for prompt in rankings:
            said[name] += _said(prompt.person, (prompt.ratings or {}).get(name, ()))
        for other in marked:
            said[name] += _said(other.person, other.values.get(name, ()))
    return {name: Scale.of(pairs) for name, pairs in said.items() if pairs}


def _said(person: str, values: Values) -> list[tuple[str, float]]:
    return [(person, value) for value in values if value is not None]
