"""Who is at the door, and what they may: keys and sessions, scopes, hosts, limits, what was issued
to whom, and the record of operators' acts.
"""
