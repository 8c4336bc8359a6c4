"""Library: what people said about answers. Knows SQL and no torch.

store.py          each method is one transaction; stores/ has them by topic, and opens the sessions
conversations.py  what was asked and answered; histories.py  the same as conversations that branch
rankings.py       what people said of the answers
demonstrations.py what people would have answered
exports.py        what people said as lines; imports.py and restoring.py lines as rows
exchange/         pure: the field's formats, and our own
erasing.py        what a person takes back; consents.py what they allow
personal.py       pure: personal data in texts
prompts.py        what is to be answered for the labelling queue; tasks.py its items
handing.py        who is given which; labels.py how far people are; labelling.py its values
training.py       what the learner learns from, and what waits for it
inputs.py         what each round worked on; repeats.py  a round again on the same
down_weightings.py  what of it counted for less; trust/  pure: how far people are to be trusted
compared.py       versions as people compared them; strengths.py  pure: the model of that
versions.py       versions, their states, the live pointer
lease.py          the learner's lease and its fence
rounds.py         learning rounds, their progress and figures
presence.py       the learner's heartbeat and pause
preferences.py    pure: rankings to comparisons, the split by conversation
records.py        the values that go in and out; errors.py what is refused
tables/           the rows; columns.py their types; migrations/ their history
database.py       the connection, the clock, how a transaction begins; settings.py its address
"""
