"""Sweeps: which runs are missing, doing them here or on a cluster, and saying in the end what became of each."""
