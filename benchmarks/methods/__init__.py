"""Published methods as compositions of slot values: one module each, found by its number.

A module ``mNN_name.py`` holds ``EXPERIMENT``, an :class:`agentc.benchmarks.methods.experiment.Experiment`.
``agentc bench methods`` shows what is recorded, ``agentc bench methods NN`` runs or resumes one.
"""
