"""What is promised about security, sentence by sentence, and what shows it.

`python -m tests.security` runs it all and prints a table.
"""
