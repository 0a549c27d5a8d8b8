"""Random numbers from a key: whoever draws names what for, and nobody reads global state."""

import numpy as np
import torch


def generator_for(*key: int, device: torch.device | None = None) -> torch.Generator:
    """Return a generator whose draws depend on the key alone, such as (seed, network, epoch).

    Args:
        key: non-negative integers.
        device: where it draws; None is the CPU. Draws differ between kinds of device.
    """
    # The length goes in too: SeedSequence takes (1, 2) and (1, 2, 0) for the same.
    seed = int(np.random.SeedSequence((len(key), *key)).generate_state(1, np.uint64)[0] >> 1)
    return torch.Generator(device=device or torch.device("cpu")).manual_seed(seed)
