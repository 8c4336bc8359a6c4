"""What goes into the store and comes out of it: frozen values, no rows, no sessions.

Times are Unix seconds, durations end in `_s`. Log-probabilities are natural logarithms, kept as
float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CandidateRecord:
    """One answer: its text, and each sampled token with its log-probability.

    `logps` are as sampled (after temperature, top-p and top-k), `raw_logps` are the raw model's;
    both as long as `token_ids`.
    """

    id: str
    index: int
    text: str
    token_ids: tuple[int, ...]
    logps: tuple[float, ...]
    raw_logps: tuple[float, ...]
    finish_reason: str


@dataclass(frozen=True)
class GenerationRecord:
    """One request's answers, all by one version, with what it takes to reproduce them.

    `id` is the completion's id; `listed` says whether the person's history shows it.
    """

    id: str
    conversation_id: str
    person: str
    consented: bool
    version: str
    digest: str
    messages: tuple[tuple[str, str], ...]
    prompt_ids: tuple[int, ...]
    params: dict[str, Any]
    seed: int
    template_hash: str
    candidates: tuple[CandidateRecord, ...]
    created_at: float
    listed: bool = True


@dataclass(frozen=True)
class StoredCandidate:
    """A candidate together with the generation that it belongs to."""

    id: str
    index: int
    text: str
    token_ids: tuple[int, ...]
    logps: tuple[float, ...]
    raw_logps: tuple[float, ...]
    finish_reason: str
    generation_id: str
    conversation_id: str
    person: str
    consented: bool
    version: str
    digest: str
    messages: tuple[tuple[str, str], ...]
    prompt_ids: tuple[int, ...]
    params: dict[str, Any]
    seed: int
    template_hash: str
    created_at: float


@dataclass(frozen=True)
class ConversationInfo:
    """A conversation by what was said first in it; `answers` counts the requests that it took."""

    id: str
    title: str
    created_at: float
    updated_at: float
    answers: int


@dataclass(frozen=True)
class TreeTurn:
    """A turn of a conversation that may branch; `parent` is the turn that it answers.

    `version`, `candidate` and the person's last `rank` of it are an answer's that is on record.
    """

    id: str
    parent: str | None
    role: str
    text: str
    at: float
    version: str | None = None
    candidate: str | None = None
    rank: int | None = None


@dataclass(frozen=True)
class UnscoredAnswer:
    """A candidate and its prompt, as a reward model reads them; `messages` are (role, content)."""

    id: str
    messages: tuple[tuple[str, str], ...]
    prompt_ids: tuple[int, ...]
    text: str
    token_ids: tuple[int, ...]


@dataclass(frozen=True)
class StoredRanking:
    """A ranking as stored. `supersedes` is the earlier one that it replaces; `repeated` says that
    this was a retry. `criterion` is what alone was ranked by, None as a whole. The last five say
    how it came about, as far as that is known.
    """

    id: int
    person: str
    candidates: tuple[str, ...]
    ranks: tuple[int | None, ...]
    none_acceptable: bool
    ratings: dict[str, list[float | None]] | None
    comment: str | None
    task_id: str | None
    supersedes: int | None
    created_at: float
    repeated: bool = False
    criterion: str | None = None
    shown: tuple[str, ...] | None = None
    blind: bool | None = None
    seconds: float | None = None
    input: str | None = None
    guidelines: str | None = None


@dataclass(frozen=True)
class StoredMark:
    """A thumb, or ratings by criterion, of one candidate as stored; `id` is the first one's.
    `supersedes` are the person's earlier marks that these replace; `repeated`: this was a retry.
    """

    id: int
    person: str
    candidate: str
    values: dict[str, float]
    supersedes: dict[str, int]
    created_at: float
    comment: str | None = None
    repeated: bool = False


@dataclass(frozen=True)
class StoredDemonstration:
    """An ideal answer, or both sides of a conversation, as stored: `messages` are (role, content)
    pairs, `candidate_id` is the answer that was edited; `repeated` says that this was a retry.
    """

    id: int
    person: str
    conversation_id: str
    split: str
    consented: bool
    source: str
    messages: tuple[tuple[str, str], ...]
    candidate_id: str | None
    created_at: float
    repeated: bool = False


@dataclass(frozen=True)
class Waiting:
    """Rankings, or demonstrations, that no finished round has used: how many, and the age of the
    oldest in seconds (None if there is none).
    """

    count: int
    oldest_age_s: float | None


@dataclass(frozen=True)
class Failures:
    """How many of the last rounds failed in a row; seconds since the last did, None for none."""

    count: int
    age_s: float | None


@dataclass(frozen=True)
class LoggedPrompt:
    """A prompt that somebody asked, to draw rollouts from. `split` is "train" or "judge";
    `set_name` the imported set that it is of, if it is of one.
    """

    conversation_id: str
    split: str
    messages: tuple[tuple[str, str], ...]
    prompt_ids: tuple[int, ...]
    set_name: str | None = None


@dataclass(frozen=True)
class Live:
    """The live pointer. `previous` is where a rollback would go; `epoch` rises with every move;
    `since` is the last move's. `pinned_by` is the person who holds it in its place. `canary` is the
    version that is tried beside it, by `share` of the people (None: as the server is set).
    """

    version: str
    previous: str | None
    epoch: int
    since: float
    pinned_by: str | None = None
    canary: str | None = None
    share: float | None = None


@dataclass(frozen=True)
class LearnedFrom:
    """How many rankings a version's round used, and how many of them were the asker's."""

    rankings: int
    yours: int


@dataclass(frozen=True)
class VersionMove:
    """One change of a version's state: from where ("" at its registration), to where, by whom,
    why, when, and what was measured. From a state to itself: only something about it changed.
    """

    from_state: str
    to_state: str
    actor: str
    reason: str
    at: float
    evidence: dict[str, Any] | None = None


@dataclass(frozen=True)
class VersionInfo:
    """A version, its state (trained, verified, shadow, canary, live, retired, rejected, failed) and
    how it came to it, oldest move first. `set_aside` counts the rankings that no round learns from
    because of it. `pinned_by` is the person who holds it, the live one, in its place. `pruned`: its
    files are gone, to make room.
    """

    id: str
    kind: str
    state: str
    digest: str
    parent: str | None
    round_id: int | None
    reward_id: str | None
    figures: dict[str, Any]
    created_at: float
    events: tuple[VersionMove, ...]
    learned_from: LearnedFrom
    set_aside: int = 0
    pinned_by: str | None = None
    pruned: bool = False

    @property
    def live(self) -> bool:
        return self.state == "live"


@dataclass(frozen=True)
class Reason:
    """One check of the gate: what was measured, the limit that it was held to, and a sentence for
    people; the interval of what was measured, where it has one.
    """

    check: str
    passed: bool
    value: float | None
    limit: float | None
    text: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Claim:
    """A learner's hold on a round. The epoch fences it: whoever claims after has a higher one."""

    round_id: int
    epoch: int
    holder: str


@dataclass(frozen=True)
class RoundInfo:
    """A learning round. States: queued, running, done, failed, cancelled.

    Outcomes: promoted, canary, shadow, rejected, verified, needs_feedback, failed, cancelled; None
    while it is not over. `stages` None means those that are due. `rankings` and `demonstrations`
    count its inputs. `left_out` counts what it found personal data in, `held_back` the marks and
    demonstrations that were more than their person may teach, `distrusted` the rankings that
    weighed nothing, which `rankings` does not count, and `lighter` those that weighed less than 1.
    `attempts` counts its claims. `repeat_of` is the round whose inputs it has, but for what
    the people in `without` had said.
    """

    id: int
    state: str
    outcome: str | None
    trigger: str
    stages: tuple[str, ...] | None
    stage: str | None
    step: int | None
    steps: int | None
    eta_s: float | None
    rankings: int
    demonstrations: int
    version_id: str | None
    reward_id: str | None
    reasons: tuple[Reason, ...]
    reward: dict[str, Any] | None
    error: str | None
    created_at: float
    claimed_at: float | None
    decided_at: float | None
    attempts: int
    cancel_requested: bool
    repeat_of: int | None = None
    without: tuple[str, ...] = ()
    left_out: int = 0
    held_back: int = 0
    distrusted: int = 0
    lighter: int = 0


@dataclass(frozen=True)
class InputInfo:
    """A ranking that a round used, whose it is, and how much it weighed: 1 is a ranking's own, 0
    was left out; `reason` says why it was less than 1.
    """

    ranking_id: int
    person: str
    weight: float
    reason: str | None = None


@dataclass(frozen=True)
class DownWeighting:
    """A ranking that a round counted for less than 1, or left out (0), whose it is, and why."""

    ranking_id: int
    person: str
    weight: float
    reason: str


@dataclass(frozen=True)
class MetricPoint:
    """Figures of one step of a stage. A value that was not finite is None."""

    stage: str
    step: int
    at: float
    values: dict[str, float | None]


@dataclass(frozen=True)
class LeaseInfo:
    """Who holds the learner's lease, under which epoch, and for how many seconds more."""

    holder: str
    epoch: int
    expires_in_s: float


@dataclass(frozen=True)
class LearnerInfo:
    """The learner as its heartbeats show it: state is idle, running, paused, starting or dead.

    `starting`: no heartbeat yet. `dead`: the last is older than 30 s. `missing` says why this model
    cannot be trained here; `still_s` for how long nothing had gone on in it at the last heartbeat.
    """

    state: str
    paused: bool
    holder: str | None
    round_id: int | None
    heartbeat_age_s: float | None
    lease: LeaseInfo | None
    next_run_at: float | None
    last_error: str | None
    missing: str | None
    still_s: float | None = None
