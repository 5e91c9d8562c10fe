"""Learners: what is recorded, how credit is assigned, what is optimised, and the loop around it."""
