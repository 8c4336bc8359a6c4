"""What a version must go on being able to do."""

from __future__ import annotations

from feedback.records import Reason
from learner.checks.case import Case
from policy.model import Model


def regression(model: Model, case: Case, drop: float) -> Reason:
    """Its score on the regression set, `drop` below the reference's at most."""
    score, limit = case.regression.score(model), case.base_regression - drop
    what = case.regression.what
    if not what.startswith("likelihood"):
        text = (
            f"{score:.3f} of {what}; {case.base_id} has {case.base_regression:.3f}, "
            f"the limit is {limit:.3f}."
        )
        return Reason("regression", score >= limit, score, limit, text)
    if case.judge is None:
        text = f"The {what} is {score:.3f}; it was taught others, so there is no limit."
        return Reason("regression", True, score, None, text)
    text = f"The {what} is {score:.3f}; the limit is {limit:.3f}."
    return Reason("regression", score >= limit, score, limit, text)
