"""What operators see and do: the learner and its rounds, versions, canaries, alarms, raters."""
