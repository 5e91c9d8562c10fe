"""The decoder of a language-model agent: which phases may follow, and what may be written in each."""
