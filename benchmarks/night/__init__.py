"""A night in an hour: people chat and rank, rounds run, versions change, processes are killed."""
