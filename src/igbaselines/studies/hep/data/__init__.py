"""Collision events: tables, synthetic ones, and Pythia's."""
