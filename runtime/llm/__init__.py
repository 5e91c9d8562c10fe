"""Language-model agents: decoder, models, tools, guard."""
