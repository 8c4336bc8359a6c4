"""Outside text classifiers as a part of the reward."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from learner import scorers
from learner.__main__ import _check_scorers
from learner.reward_settings import RewardSettings, ScorerSettings, UnusableScorer
from learner.scorers import Scorer, log_odds
from learner.settings import LearnerSettings
from rankloop import UserError, load_settings
from tests.tiny_classifiers import make_classifier
from tests.tiny_models import make_tiny

NAMING = [("hello", "capital france paris"), ("hot", "thank you paris"), ("paris", "you fine")]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_classifier(tmp_path_factory.mktemp("classifier") / "bert")


def settings(model: Path | str, **changed: Any) -> ScorerSettings:
    given = {"name": "paris", "model": str(model), "label": "names"}
    return ScorerSettings.model_validate(given | changed)


def test_log_odds_are_of_the_label_against_all_others() -> None:
    """Logits log 1, log 2 and log 3: of the last, 3 to 1 + 2, so log 1 = 0; of the second,
    2 to 4. Where several labels may hold, or there is one, the logit is the log-odds itself.
    """
    logits = torch.tensor([[1.0, 2.0, 3.0]]).log()
    assert log_odds(logits, 2, "single_label_classification").item() == pytest.approx(0.0)
    assert log_odds(logits, 1, None).item() == pytest.approx(math.log(0.5))
    assert log_odds(logits, 1, "multi_label_classification").item() == pytest.approx(math.log(2))
    assert log_odds(logits[:, :1] + 4, 0, None).item() == pytest.approx(4.0)


@pytest.mark.parametrize("sees", ["reply", "pair"])
def test_a_classifier_knows_its_word(classifier: Path, sees: str) -> None:
    """In the reply, not in what was asked; the other label says the opposite."""
    odds = Scorer.load(settings(classifier, sees=sees)).log_odds(NAMING)
    assert (odds > 0).tolist() == [True, True, False]
    other = Scorer.load(settings(classifier, sees=sees, label=0)).log_odds(NAMING)
    torch.testing.assert_close(other, -odds)


def test_a_score_does_not_depend_on_company(classifier: Path) -> None:
    """Alone, or padded beside a longer one, or in another order."""
    scorer = Scorer.load(settings(classifier))
    odds = scorer.log_odds([*NAMING, ("", "you " * 20)])
    alone = torch.cat([scorer.log_odds([exchange]) for exchange in NAMING])
    torch.testing.assert_close(odds[:3], alone, atol=1e-4, rtol=0)


def test_a_reply_longer_than_it_reads_is_cut(classifier: Path) -> None:
    """Past 30 words, beside the two tokens around, nothing is heard."""
    scorer = Scorer.load(settings(classifier))
    cut, longer = scorer.log_odds([("", "you " * 30), ("", "you " * 40 + "paris")])
    assert cut.item() == pytest.approx(longer.item(), abs=1e-4)


def test_scores_are_normalised_on_the_reference(classifier: Path) -> None:
    """Mean 0 and deviation 1 on what it was normalised on; the same again from the folder."""
    scorer = Scorer.load(settings(classifier))
    scorer.normalise_on(NAMING)
    scores = scorer.scores(NAMING)
    assert scores.mean().item() == pytest.approx(0.0, abs=1e-5)
    assert scores.std().item() == pytest.approx(1.0, abs=1e-5)


def test_what_was_weighed_comes_back_from_the_folder(classifier: Path, tmp_path: Path) -> None:
    """Settings and normalisation; without scorers nothing is written."""
    scorer = Scorer.load(settings(classifier, weight=-0.5))
    scorer.normalise_on(NAMING)
    scorers.save([scorer], tmp_path)
    [again] = scorers.load(tmp_path, "cpu")
    assert again.settings == scorer.settings
    torch.testing.assert_close(again.scores(NAMING), scorer.scores(NAMING))
    scorers.save([], tmp_path / "none")
    assert scorers.load(tmp_path / "none", "cpu") == []


def test_a_label_that_is_not_there_is_named_with_those_that_are(classifier: Path) -> None:
    """And the setting, and the model."""
    said = r"learner\.reward\.scorers: 'paris': model .* has no label 'rude': .* 0 'other', 1 'name"
    with pytest.raises(UnusableScorer, match=said):
        scorers.checked(settings(classifier, label="rude"))
    with pytest.raises(UnusableScorer, match="no label 2"):
        scorers.checked(settings(classifier, label=2))


def test_the_learner_does_not_start_with_a_scorer_that_no_round_could_use(
    classifier: Path,
) -> None:
    """It ends with that line; with those that can be had it goes on."""
    _check_scorers([settings(classifier)])
    with pytest.raises(SystemExit, match="no label 'rude'"):
        _check_scorers([settings(classifier), settings(classifier, label="rude")])


def test_a_model_that_is_no_classifier_is_refused(tmp_path: Path) -> None:
    """A chat model's folder has no head: transformers would draw one at random."""
    folder = make_tiny(tmp_path / "chat")
    with pytest.raises(UnusableScorer, match="lacks 1 weights of a text classifier"):
        Scorer.load(settings(folder, label=0))
    with pytest.raises(UnusableScorer, match=r"there is no config\.json"):
        Scorer.load(settings(tmp_path / "nowhere"))


def test_names_are_not_given_twice() -> None:
    """Nor are those of the reward's own figures."""
    twice = [settings("m").model_dump(), settings("m").model_dump()]
    with pytest.raises(ValidationError, match="the name 'paris' is taken"):
        RewardSettings.model_validate({"scorers": twice})
    with pytest.raises(ValidationError, match="the name 'total' is taken"):
        RewardSettings.model_validate({"scorers": [settings("m", name="total").model_dump()]})


def test_scorers_are_set_in_the_file_or_as_json(tmp_path: Path) -> None:
    """A table for each in TOML; elsewhere one line of JSON."""
    file = tmp_path / "rankloop.toml"
    file.write_text(
        '[[learner.reward.scorers]]\nname = "paris"\nmodel = "m"\nlabel = 1\nweight = 0.5\n'
    )
    [written] = load_settings(file, {}, {}).learner.reward.scorers
    line = '[{"name": "paris", "model": "m", "label": 1, "weight": 0.5}]'
    [flagged] = load_settings(None, {"learner.reward.scorers": line}, {}).learner.reward.scorers
    assert written == flagged == settings("m", label=1, weight=0.5)


def test_a_wrong_scorer_says_where_it_was_set(tmp_path: Path) -> None:
    """Its place in the list, the field, and the source."""
    file = tmp_path / "rankloop.toml"
    file.write_text('[[learner.reward.scorers]]\nname = "a"\nlabel = 1\n')
    with pytest.raises(UserError, match=r"scorers\.0\.model in .*rankloop\.toml: Field required"):
        load_settings(file, {}, {})
    with pytest.raises(UserError, match="is not JSON"):
        load_settings(None, {"learner.reward.scorers": "nonsense"}, {})


def test_there_are_none_by_default() -> None:
    """The reward is what rankings taught, alone."""
    assert LearnerSettings().reward.scorers == ()
