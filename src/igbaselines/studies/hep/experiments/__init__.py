"""The experiments of 2412.13864."""
