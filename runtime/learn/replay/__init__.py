"""M10 replay: what experience is kept and what is drawn."""
