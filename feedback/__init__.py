"""Library: what people said about answers. Knows SQL and no torch.

store.py          each method is one transaction; stores/ has them by topic, and opens the sessions
conversations.py  what was asked and answered
rankings.py       what people said of the answers
demonstrations.py what people would have answered
prompts.py        what is to be answered for the labelling queue; tasks.py its items
handing.py        who is given which; labels.py how far people are; labelling.py its values
training.py       what the learner learns from, and what waits for it
inputs.py         what each round worked on; repeats.py  a round again on the same
versions.py       versions, their states, the live pointer
lease.py          the learner's lease and its fence
rounds.py         learning rounds, their progress and figures
presence.py       the learner's heartbeat and pause
preferences.py    pure: rankings to comparisons, the split by conversation
records.py        the values that go in and out; errors.py what is refused
tables/           the rows; columns.py their types; migrations/ their history
database.py       the connection, the clock, how a transaction begins; settings.py its address
"""
