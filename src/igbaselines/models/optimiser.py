"""AdamW without the compiler: torch's own wraps its methods so that the first call imports all of torch._dynamo.

That takes longer than a small network's training. The methods are torch's, less their wrappers: the same steps to the
bit, for whoever does not hand them to torch.compile.
"""

import inspect
from collections.abc import Iterable

import torch
from torch import Tensor


class _AdamW(torch.optim.AdamW):
    add_param_group = inspect.unwrap(torch.optim.AdamW.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.AdamW.zero_grad)
    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))


def adamw(parameters: Iterable[Tensor], learning_rate: float, weight_decay: float) -> torch.optim.AdamW:
    """Return torch's fused AdamW (Loshchilov and Hutter 2019) for parameters, which require gradients."""
    return _AdamW(parameters, lr=learning_rate, weight_decay=weight_decay, fused=True)
