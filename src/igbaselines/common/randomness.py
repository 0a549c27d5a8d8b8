"""Random numbers from a key: whoever draws names what for, and nobody reads global state."""

import zlib

import numpy as np
import torch

# Streams that had numbers before they had names keep them: what they draw is what they have always drawn.
_NUMBERS = {
    "hep: explained events": 1_000_001,
    "hep: baselines": 1_000_002,
    "hep: random rankings": 1_000_003,
    "hep: training": 1_000_004,
    "hep: pools of baselines": 1_000_005,
    "hep: splits": 1_000_006,
    "hep generators: halves": 1_000_001,
    "hep generators: classifiers": 1_000_002,
    "images: baselines": 2_000_001,
    "images: nodes": 2_000_002,
    "images: background": 2_000_003,
    "images: permuted weights": 2_000_011,
    "images: draws of baselines": 2_000_012,
    "images: coalitions": 2_000_021,
    "images: absent players": 2_000_022,
    "gridworld: attribution": 3_000_001,
    "gridworld: networks": 3_000_002,
    "gridworld: background": 3_000_003,
    "gridworld: slips": 3_000_004,
}


def stream(name: str) -> int:
    """The part of a key that says what its random numbers are for; two names hardly ever share one."""
    return _NUMBERS.get(name, zlib.crc32(name.encode()))


def generator_for(*key: int | str, device: torch.device | None = None) -> torch.Generator:
    """Return a generator whose draws depend on the key alone, such as (seed, network, "hep: baselines").

    A key is made of non-negative integers and names of streams. Draws differ between kinds of device; None is the CPU.
    """
    numbers = [stream(part) if isinstance(part, str) else part for part in key]
    # The length goes in too: SeedSequence takes (1, 2) and (1, 2, 0) for the same.
    seed = int(np.random.SeedSequence((len(numbers), *numbers)).generate_state(1, np.uint64)[0] >> 1)
    return torch.Generator(device=device or torch.device("cpu")).manual_seed(seed)
