"""What people say of answers, and what they are given to say it of: rankings, marks,
demonstrations, the labelling queue, battles; and what is theirs to take away.
"""
