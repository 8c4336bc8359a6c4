"""The store: the one place where a session is opened, and so where every transaction begins and
ends.

Each method is one transaction; the methods stand in stores/ by topic, and what happens inside a
transaction in conversations, rankings, versions, rounds and so on. A Store may be used by many
threads, and many processes may open one database.
"""

from .stores.access import Keys
from .stores.accounts import Accounts
from .stores.answers import Answers
from .stores.exchange import Exchange
from .stores.learner import Presence
from .stores.persons import Persons
from .stores.quotas import Quotas
from .stores.rewards import Rewards
from .stores.rounds import Rounds
from .stores.said import Said
from .stores.tasks import Tasks
from .stores.trials import Trials
from .stores.trust import Trust
from .stores.versions import Versions


class Store(
    Answers,
    Said,
    Tasks,
    Exchange,
    Persons,
    Rewards,
    Versions,
    Trials,
    Rounds,
    Trust,
    Presence,
    Keys,
    Accounts,
    Quotas,
):
    """What people said, which versions there are, and what the learner does, in one database."""
