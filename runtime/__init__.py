"""What happens: the command line, environments under monitors, learners, evaluation and reports."""
