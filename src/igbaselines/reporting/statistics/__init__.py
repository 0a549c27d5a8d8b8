"""Estimates, paired tests, bootstraps, and verdicts."""
