"""The sentences of diagnostics, one file per area of the tool; :mod:`agentc.lang.catalog` joins them."""
