"""Around a fault of torch: on CPUs BatchNorm's gradient of a single point may be wrong (docs/torch_batch_norm.md)."""

import torch
from torch import Tensor
from torch.autograd.graph import Node

CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def mend_batch_norms(output: Tensor) -> tuple[bool, bool]:
    """Lay out anew the gradients that come into BatchNorms of a single point, wherever they are in the graph.

    Args:
        output: whose gradient is about to be taken, on the CPU.

    Returns:
        Whether there is a BatchNorm (InstanceNorm is one inside), and whether a step hides what it does, such as a
        checkpoint or compiled code, and may hide one.
    """
    todo, seen = [output.grad_fn], set[Node]()
    found = hidden = False
    while todo:
        if (node := todo.pop()) is None or node in seen:
            continue
        seen.add(node)
        name = node.name()
        if "BatchNorm" in name:
            node.register_prehook(_laid_out_anew)
            found = True
        # The names of torch's own end in a number; functions of ours say that they hide none.
        hides = not getattr(getattr(node, "_forward_cls", None), "hides_no_batch_norm", False)
        hidden = hidden or (name.endswith("Backward") and hides)
        todo += [before for before, _ in node.next_functions]
    return found, hidden


def _laid_out_anew(gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Lay a single point's gradient out in channels_last, with which no layout of the norm's input is mistaken.

    `contiguous` would leave the strides as they come: of a single point all batch strides are right.
    """
    first, *others = gradients
    if first is None or len(first) > 1 or first.dim() not in CHANNELS_LAST:
        return gradients
    return first.clone(memory_format=CHANNELS_LAST[first.dim()]), *others
