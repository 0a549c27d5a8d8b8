"""A zoo of small networks: a layer, a BatchNorm and an activation of five kinds, in ways that a copy must respect.

Each way follows a report of a network that some tool changed in silence. A way is a function of the unit and its input.
"""

import copy
from collections.abc import Callable
from types import MethodType, SimpleNamespace
from typing import Any

import torch
import torch.nn.utils.prune
from torch import Tensor, nn

WIDTH = 6
KINDS: dict[str, tuple[Callable[[bool], nn.Module], Callable[[], nn.Module], tuple[int, ...]]] = {
    "rows": (lambda bias: nn.Linear(6, 6, bias=bias), lambda: nn.BatchNorm1d(6), ()),
    "tokens": (lambda bias: nn.Linear(6, 6, bias=bias), lambda: nn.BatchNorm1d(6), (6,)),  # as many as features
    "series": (lambda bias: nn.Conv1d(6, 6, 3, padding=1, bias=bias), lambda: nn.BatchNorm1d(6), (5,)),
    "pictures": (lambda bias: nn.Conv2d(6, 6, 3, padding=1, bias=bias), lambda: nn.BatchNorm2d(6), (4, 4)),
    "volumes": (lambda bias: nn.Conv3d(6, 6, 1, bias=bias), lambda: nn.BatchNorm3d(6), (2, 3, 2)),
}
ACTIVATIONS: tuple[Callable[[], nn.Module], ...] = (
    nn.ReLU,
    lambda: nn.ReLU(inplace=True),
    nn.ReLU6,
    lambda: nn.SiLU(inplace=True),
    nn.Tanh,
)


class Unit(nn.Module):
    """The parts, under names, in containers and out of sight; what is done with them is its way."""

    first: Any
    layer: Any
    again: Any
    norm: Any
    activation: Any
    call: Any

    def __init__(self, kind: str, way: str, activation: int) -> None:
        super().__init__()
        make, norm, dims = KINDS[kind]
        self.shape, self.way = (WIDTH, *dims), way
        self.first, self.layer, self.norm = make(True), make(way != "no bias"), norm()
        self.activation, self.rectify = ACTIVATIONS[activation](), nn.ReLU(inplace=True)
        self.again = self.layer
        self.head = nn.Linear(WIDTH * int(torch.tensor(dims).prod()), 3)
        self.listed, self.named = [self.layer, self.norm], {"layer": self.layer, "norm": self.norm}
        self.helper = SimpleNamespace(layer=self.layer, norm=self.norm, call=self.after)
        self.drop = nn.Dropout(0.5)
        self.table: Any = None
        nn.init.uniform_(self.norm.running_mean, -1, 1)
        nn.init.uniform_(self.norm.running_var, 0.3, 2)
        if self.norm.weight is not None:
            nn.init.uniform_(self.norm.weight, 0.5, 1.5)
            nn.init.uniform_(self.norm.bias, -0.5, 0.5)

    def after(self, z: Tensor) -> Tensor:
        result: Tensor = self.activation(self.norm(z))
        return result

    def forward(self, x: Tensor) -> Tensor:
        z: Tensor = self.head(self.drop(WAYS[self.way](self, torch.tanh(self.first(x)))).flatten(1))
        return z


def table(u: Unit, make: Callable[[], Tensor]) -> Tensor:
    if u.table is None:
        u.table = make()
    kept: Tensor = u.table
    return kept


def dropped(u: Unit, z: Tensor) -> Tensor:
    u.rectify(z)  # in place: what it returns is not needed
    return z


def residual(u: Unit, z: Tensor) -> Tensor:
    rectified: Tensor = u.again(u.rectify(z)) + z  # the input of an activation in place is read again
    return rectified


def written_into(u: Unit, x: Tensor, z: Tensor) -> Tensor:
    z += x
    return z


def kept(u: Unit, z: Tensor) -> Tensor:
    u.table = z
    return z


def strided(z: Tensor) -> Tensor:
    """What stands in memory, whatever its order."""
    return torch.as_strided(z, (len(z), z[0].numel()), (z[0].numel(), 1)).cumsum(1)


WAYS: dict[str, Callable[[Unit, Tensor], Tensor]] = {
    "plain": lambda u, x: u.after(u.layer(x)),
    "no bias": lambda u, x: u.after(u.layer(x)) + (1 if u.layer.bias is None else 0),
    "twice": lambda u, x: u.after(u.layer(torch.sin(u.layer(x)))),
    "two names": lambda u, x: u.after(u.layer(torch.sin(u.again(x)))),
    "another name": lambda u, x: u.after(u.again(x)),
    "norm twice": lambda u, x: u.after(u.after(u.layer(x))),
    "read twice": lambda u, x: (lambda z: u.after(z) + z)(u.layer(x)),
    "dropped": lambda u, x: dropped(u, u.norm(u.layer(x))),
    "dropped between": lambda u, x: u.after(dropped(u, u.layer(x))),
    "residual": lambda u, x: residual(u, u.norm(u.layer(x))),
    "written into": lambda u, x: written_into(u, x, torch.sin(u.after(u.layer(x)))),
    "keywords": lambda u, x: u.activation(u.norm(input=u.layer(input=x))),
    "list": lambda u, x: u.activation(u.listed[1](u.listed[0](x))),
    "list of layers": lambda u, x: u.after(u.listed[0](x)),
    "dict": lambda u, x: u.activation(u.named["norm"](u.layer(x))),
    "helper": lambda u, x: u.activation(u.helper.norm(u.helper.layer(x))),
    "bound method": lambda u, x: u.helper.call(u.layer(x)),
    "forward": lambda u, x: u.activation(u.norm.forward(u.layer.forward(x))),
    "forward and call": lambda u, x: u.after(u.layer(torch.sin(u.layer.forward(x)))),
    "isinstance": lambda u, x: u.norm(torch.sin(u.layer(x))) if isinstance(x, Tensor) else u.after(u.layer(x)),
    "hasattr": lambda u, x: u.after(u.layer(x)) if hasattr(x, "tensors") else u.norm(torch.sin(u.layer(x))),
    "type": lambda u, x: u.after(u.layer(x)) if type(x) is not Tensor else u.layer(x),
    "type of a layer": lambda u, x: u.after(u.layer(x)) * len(type(u.norm).__name__),
    "grad mode": lambda u, x: u.after(u.layer(x)) if torch.is_grad_enabled() else u.norm(torch.sin(u.layer(x))),
    "values": lambda u, x: (
        u.after(u.layer(x)) if float(u.layer.weight.detach().sum()) > 0 else u.norm(torch.sin(u.layer(x)))
    ),
    "weight": lambda u, x: u.after(u.layer(x)) * u.layer.weight.sum(),
    "parameters": lambda u, x: u.after(u.layer(x)) * sum(p.sum() for p in u.parameters()),
    "state dict": lambda u, x: u.after(u.layer(x)) * u.state_dict()["layer.weight"].sum(),
    "functional call": lambda u, x: u.after(
        torch.func.functional_call(u.layer, {"weight": 2 * u.layer.weight.detach()}, (u.layer(x),))
    ),
    "attributes": lambda u, x: u.after(u.layer(x)) * u.norm.running_var.sum() / u.norm.num_features + u.norm.eps,
    "table": lambda u, x: (
        u.after(u.layer(x)) * table(u, lambda: torch.cos(torch.ones(1, dtype=x.dtype, device=x.device)))
    ),
    "table of weights": lambda u, x: u.after(u.layer(x)) * table(u, lambda: u.layer.weight.detach().sum()),
    "kept": lambda u, x: u.after(kept(u, u.layer(x))),
    "view": lambda u, x: u.after(u.layer(x)).view(len(x), -1),
    "memory": lambda u, x: strided(u.after(u.layer(x))),
}


def weight_norm(u: Unit) -> None:
    nn.utils.weight_norm(u.layer)


def spectral_norm(u: Unit) -> None:
    nn.utils.spectral_norm(u.layer)
    u.layer.train()(torch.rand(2, *u.shape, dtype=u.head.weight.dtype))


def parametrised(u: Unit) -> None:
    nn.utils.parametrizations.weight_norm(u.layer)


def pruned(u: Unit) -> None:
    torch.nn.utils.prune.l1_unstructured(u.layer, "weight", 5)


def hooked(u: Unit) -> None:
    u.norm.register_forward_hook(lambda module, args, output: output**2)


def hooked_layer(u: Unit) -> None:
    u.layer.register_forward_pre_hook(lambda module, args: (args[0] ** 2,))


def hooked_backward(u: Unit) -> None:
    u.activation = nn.ReLU()
    u.activation.register_full_backward_hook(lambda module, inputs, outputs: (inputs[0] / 2,))


def without_factors(u: Unit) -> None:
    u.norm = type(u.norm)(WIDTH, affine=False)


def relu6_written_into(u: Unit) -> None:
    """Which it allows, since it keeps its input; what is fused with a convolution keeps its output."""
    u.activation, u.norm = nn.ReLU6(), nn.Identity()
    WAYS.setdefault("into its output", lambda u, x: written_into(u, x, u.after(u.layer(x))))
    u.way = "into its output"


def tied(u: Unit) -> None:
    u.first.weight = u.layer.weight


def closed_over(u: Unit) -> None:
    u.helper.call = u.after
    u.call = lambda z: u.activation(u.norm(z))  # a copy calls the original's
    WAYS.setdefault("closure", lambda u, x: u.call(u.layer(x)))
    u.way = "closure"


def own_forward(u: Unit) -> None:
    u.layer.forward = lambda x: type(u.layer).forward(u.layer, 2 * x)


def own_method(u: Unit) -> None:
    u.layer.forward = MethodType(lambda layer, x: type(layer).forward(layer, 2 * x), u.layer)
    u.forward = MethodType(lambda self, x: Unit.forward(self, x / 2), u)  # type: ignore[method-assign]


def forgotten(u: Unit) -> None:
    """A module that nobody registered."""
    u.listed[1] = copy.deepcopy(u.norm).eval()
    u.way = "list"


def scripted(u: Unit) -> None:
    u.layer = torch.jit.script(u.layer)


TREATMENTS: tuple[Callable[[Unit], None], ...] = (
    weight_norm,
    spectral_norm,
    parametrised,
    pruned,
    hooked,
    hooked_layer,
    hooked_backward,
    without_factors,
    relu6_written_into,
    tied,
    closed_over,
    own_forward,
    own_method,
    forgotten,
    scripted,
)


def make(kind: str, way: str, activation: int, dtype: torch.dtype = torch.float64) -> Unit:
    """A network of the zoo, in training mode: a way, or a treatment of the plain one."""
    torch.manual_seed(0)
    treatments = {treatment.__name__: treatment for treatment in TREATMENTS}
    unit = Unit(kind, "plain" if way in treatments else way, activation).to(dtype)
    if way in treatments:
        treatments[way](unit)
    return unit.to(dtype).train()
