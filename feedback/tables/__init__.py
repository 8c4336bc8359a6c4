"""The rows. Feedback is appended and never edited; versions and rounds change their state.

| table | a row is |
|---|---|
| generation, candidate | one request's answers, and each of them |
| ranking, ranked_candidate | what a person said of some candidates, and the rank of each |
| waiting_ranking | a ranking that no round has used yet |
| mark | a thumb, or a rating by some criterion, of one answer |
| demonstration | an answer that a person would have given, or both sides of a conversation |
| imported_line | a line of a file that was imported |
| consent | a person's word on learning from what they say |
| version, version_event | a policy or a reward model, and a change of its state |
| live | a move of the live pointer |
| canary, stopped | a version on trial, and an answer that a person stopped |
| set_aside | a ranking that was of answers of a bad version, and is not learned from |
| round, round_input, metric | a learning round, a ranking that it used, one step's figures |
| down_weighting | a ranking that a round counted for less, and why |
| round_demonstration, round_mark | a demonstration, or a mark, that a round used |
| round_prompt, round_set_prompt | a prompt that a round had, asked or imported |
| left_out | what a round found personal data in, and did not learn from |
| candidate_reward | a figure that a reward model gave an answer |
| wanted_reward | an answer that somebody wants to see scored |
| prompt | a prompt of an imported set |
| task, task_candidate | an item to be ranked, and its answers |
| gold_rank | the rank that an answer should get |
| task_lease, task_skip | an item that a person was given, or would not rank |
| api_key | a key, by its digest, and whose it is |
| account, sign_in | somebody who may sign in, and a session of theirs |
| invitation | a link by which somebody chooses a password, once |
| audit_event | what an operator asked for |
| shown_answer | an answer to another's prompt that a person was shown |
| quota_taken | requests that somebody made in one second of the last minute |
| lease, learner, counter | who may publish, the last heartbeat, the last number given to an id |
"""

from .access import ApiKey, AuditEvent, QuotaTaken, ShownAnswer
from .accounts import Account, Invitation, SignIn
from .answers import Candidate, Generation
from .exchange import Consent, ImportedLine
from .learner import Learner, Lease
from .rewards import CandidateReward, WantedReward
from .rounds import (
    DownWeighting,
    LeftOut,
    Metric,
    Round,
    RoundDemonstration,
    RoundInput,
    RoundMark,
    RoundPrompt,
    RoundSetPrompt,
)
from .row import Row
from .said import Demonstration, Mark, RankedCandidate, Ranking, WaitingRanking
from .tasks import GoldRank, Prompt, Task, TaskCandidate, TaskLease, TaskSkip
from .versions import (
    Canary,
    Counter,
    LivePointer,
    SetAside,
    Stopped,
    Version,
    VersionEvent,
)

__all__ = [
    "Account",
    "ApiKey",
    "AuditEvent",
    "Canary",
    "Candidate",
    "CandidateReward",
    "Consent",
    "Counter",
    "Demonstration",
    "DownWeighting",
    "Generation",
    "GoldRank",
    "ImportedLine",
    "Invitation",
    "Learner",
    "Lease",
    "LeftOut",
    "LivePointer",
    "Mark",
    "Metric",
    "Prompt",
    "QuotaTaken",
    "RankedCandidate",
    "Ranking",
    "Round",
    "RoundDemonstration",
    "RoundInput",
    "RoundMark",
    "RoundPrompt",
    "RoundSetPrompt",
    "Row",
    "SetAside",
    "ShownAnswer",
    "SignIn",
    "Stopped",
    "Task",
    "TaskCandidate",
    "TaskLease",
    "TaskSkip",
    "Version",
    "VersionEvent",
    "WaitingRanking",
    "WantedReward",
]
