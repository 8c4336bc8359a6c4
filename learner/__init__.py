"""The learning process: rankings to a reward model, a reward model to a better policy."""
