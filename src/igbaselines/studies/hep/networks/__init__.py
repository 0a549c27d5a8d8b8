"""Classifiers of events, trained many at a time."""
