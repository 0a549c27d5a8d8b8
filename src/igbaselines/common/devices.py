"""From the host to a device: a GPU's program goes on while it is sent, where memory is pinned and nobody waits."""

import torch
from torch import Tensor


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """The tensor on a device; of what goes from the host to a GPU nobody waits for the arrival."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
