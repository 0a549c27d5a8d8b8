"""Datasets: one module each, besides those that build the synthetic collisions (`hep_*`).

Every dataset is a dataclass of plain values that a configuration fills in; its `load` reads the data or makes
it under a cache folder. Nothing that makes synthetic collisions imports torch: worker processes start fast.
"""
