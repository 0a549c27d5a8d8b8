"""Synthetic collisions by numpy alone."""
