"""Collisions by Pythia 8 and FastJet."""
