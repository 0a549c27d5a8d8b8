"""Baselines that are looked for, among the background's examples or by asking the network: one file each."""
