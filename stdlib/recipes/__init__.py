"""Recipes: published ways to train, as settings under a name."""
