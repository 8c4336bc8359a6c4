"""How far each person's rankings are to be trusted. Pure: knows no SQL.

judgements.py   a ranking as statistics read it
krippendorff.py how far people agree on the answers' ranks; kendall.py how alike two rankings are
gold.py         right where the answer is known; consistency.py the same when asked again
pace.py         the time that a judgement takes; bias.py the pull of place and of length
dawid_skene.py  skill told from agreement alone
skill.py        a person's skill, from gold and from agreement, and how sure of it one is
weights.py      what each ranking weighs in a round, and why; alarm.py when too many weigh less
raters.py       all that is known of a person
settings.py     the settings `learner.trust`
"""
