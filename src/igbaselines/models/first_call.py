"""The first call of a copy made for gradients: it is compared with the network that was copied, on real inputs.

Copying runs a network's own code, which may do anything, and does not reach what functions, classes and modules of
Python hold. A trace proves which layers may be joined, for the way that a network takes with the tracer's proxies; some
see in which order the axes lie in memory. So the copy stays without shortcuts until its first call, and after that
where the two do not agree; and where it is no copy, the network itself is run in its place.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from igbaselines.attribution.engine.evaluation import evaluation_mode
from igbaselines.attribution.engine.result import AffineStem, ClosedFormGradient
from igbaselines.models.between import Between, Switch, is_recorded, state_of
from igbaselines.models.compared import (
    Observation,
    by_closed_form,
    called,
    cloned,
    difference,
    has_switch,
    left_as_found,
    observed,
    points,
)
from igbaselines.models.joined import Join

log = logging.getLogger(__name__)

# Largest difference of the outputs (to the largest output) and of a gradient (of its norm): in low precision rounding
# moves some ReLU over its edge, where the gradient jumps. A copy without shortcuts takes the same operations.
TOLERANCE = {torch.float64: (1e-9, 1e-9), torch.float32: (1e-3, 0.1)}
TOLERANCE_OF_HALF = (0.1, 0.5)
OF_COPY = {torch.float64: (1e-9, 1e-9), torch.float32: (1e-3, 0.03)}
OF_COPY_IN_HALF = (0.03, 0.1)
ENTRIES = ("forward", "affine_stem")  # what takes inputs
METHODS = (*ENTRIES, "after_stem", "gradient_after_stem")  # what the engine calls
_ONE_AT_A_TIME = threading.RLock()


class Original:
    """The network that was copied, and whether both are as they were then; copies of the copy share it."""

    __slots__ = ("_state", "_tensors", "network")  # not in its `__dict__`, where evaluation mode would find it

    def __init__(self, network: nn.Module, copied: nn.Module) -> None:
        self.network = network
        self._tensors = [*_tensors(network), *_tensors(copied)]  # kept: an id is that of a living one
        self._state = state_of(self._tensors)

    def still_is(self, copied: nn.Module) -> bool:
        """Whether a copy ought to compute what the network does."""
        return state_of([*_tensors(self.network), *_tensors(copied)]) == self._state

    def __deepcopy__(self, memo: object) -> "Original":
        return self

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        return type(None), ()  # a file of the copy leaves it behind


@dataclass
class Shortcuts:
    """What makes a copy fast; all of it can be undone."""

    joins: list[Join]
    convolutions: list[nn.Conv2d]
    switch: Switch
    original: Original | None

    def take(self, network: nn.Module) -> None:
        """Join the layers, and lay the weights of convolutions out in channels_last."""
        for join in self.joins:
            join.make(self.switch)
        for convolution in self.convolutions:  # not the network as a whole: weights of a Conv3d have five dimensions
            convolution.to(memory_format=torch.channels_last)
        written_out = [part for part in network.modules() if isinstance(part, ClosedFormGradient)]
        within = {layer for part in written_out for layer in part.modules()}  # which ask for `weight_and_bias`
        for join in self.joins:
            if join.layer in within:
                join.trust()

    def trust(self, stem: object) -> None:
        """Have a layer that ends a stem be joined across it: the engine interpolates between the two."""
        for join in self.joins:
            if isinstance(stem, Between) and join.layer is stem.layer:
                join.trust()

    def undo(self) -> None:
        """Have the network as it was."""
        for join in self.joins:
            join.undo()
        for convolution in self.convolutions:
            convolution.to(memory_format=torch.contiguous_format)


@dataclass
class Instead:
    """Stands in a copy that is none for one of its methods: that of the network, which is left as it was found."""

    network: nn.Module
    method: str

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """What the network returns in evaluation mode."""
        with evaluation_mode(self.network):
            return getattr(self.network, self.method)(*args, **kwargs)

    def __deepcopy__(self, memo: object) -> "Instead":
        return self


@dataclass
class FirstCall:
    """Stands in a network for one of its methods until the first call, which decides on the shortcuts for good."""

    network: nn.Module
    method: str
    shortcuts: Shortcuts
    plain: Callable[..., Any]
    own: bool  # whether the method is the instance's, and not of its class
    comparing: ClassVar[bool] = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Decide, then call the method."""
        if is_recorded():
            return self.plain(*args, **kwargs)  # what is recorded there is for other inputs, too
        with _ONE_AT_A_TIME:
            if FirstCall.comparing:  # this thread, this network or one with it inside
                return self.plain(*args, **kwargs)
            if vars(self.network).get(self.method) is self:
                self._decide(args, kwargs)
        return getattr(self.network, self.method)(*args, **kwargs)

    @property
    def __code__(self) -> object:
        """That of the method, for which torch.export asks."""
        return self.plain.__code__

    def _decide(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        shortcuts, original, decided = self.shortcuts, self.shortcuts.original, False
        FirstCall.comparing = True
        try:
            no_copy, doubt = _compare(self.network, shortcuts, args, kwargs)
            decided = True
        finally:  # interrupted, the next call is to decide
            FirstCall.comparing = False
            if not decided or no_copy or doubt:
                shortcuts.undo()
        self.withdraw(self.network)
        shortcuts.original = None
        if no_copy is not None and original is not None:
            log.info("%s is used itself, in evaluation mode: %s", type(self.network).__name__, no_copy)
            for method in METHODS:
                if hasattr(original.network, method):
                    self.network.__dict__[method] = Instead(original.network, method)
        elif doubt is not None:
            shortcuts.switch.off(doubt)

    @classmethod
    def await_in(cls, network: nn.Module, shortcuts: Shortcuts) -> None:
        """Have a network wait for its first call."""
        for method in ENTRIES:
            if hasattr(network, method):
                own = method in vars(network)
                network.__dict__[method] = cls(network, method, shortcuts, getattr(network, method), own)

    @classmethod
    def withdraw(cls, network: nn.Module) -> None:
        """Have a network and all in it wait no longer."""
        for module in network.modules():
            for method in ENTRIES:
                waiting = vars(module).get(method)
                if isinstance(waiting, cls):
                    del module.__dict__[method]
                    if waiting.own:
                        module.__dict__[method] = waiting.plain


def _compare(
    network: nn.Module, shortcuts: Shortcuts, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[str | None, str | None]:
    """Take the shortcuts; say why the network is no copy, or why they should not have been taken."""
    alone = len(args) == 1 and not kwargs and type(args[0]) in (Tensor, nn.Parameter)
    alone = alone and args[0].is_floating_point() and args[0].numel() > 0
    try:
        # The random numbers that a switch of modes may take are put back, too.
        with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng([]):
            if not alone:
                no_copy, _ = _no_copy(network, shortcuts.original, args, kwargs)
                return no_copy, "its first call was not one with a tensor of inputs alone"
            x = points(args[0])
            no_copy, seen = _no_copy(network, shortcuts.original, (x,), {})
            return no_copy, _doubt(network, shortcuts, x, *seen) if no_copy is None else None
    except Exception as error:  # it runs the network's own code: anything can come back
        shortcuts.undo()  # which may be what it cannot do with: a view of channels_last
        given, named = cloned((args, kwargs))
        with torch.no_grad():
            network.forward(*given, **named)  # inputs that it does not take raise here, and decide nothing
        return None, f"{type(error).__name__}: {error}"


def _no_copy(
    network: nn.Module, original: Original | None, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[str | None, Observation]:
    """Why a copy computes something else than its original, or None; and what it computes."""
    calls: list[dict[int, nn.Module]] = []

    def watched(*args: Any, **kwargs: Any) -> object:  # noqa: ANN401
        with called() as modules:
            calls.append(modules)
            return network.forward(*args, **kwargs)

    with evaluation_mode(network):  # what it holds of others may be in training mode
        seen = observed(watched, *args, **kwargs)
    own = {id(module) for module in network.modules()}
    # Those of all calls: some networks make a Softmax anew at each.
    others = [module for key, module in calls[0].items() if key not in own and all(key in call for call in calls)]
    if others:
        return f"a {type(others[0]).__name__} that its copies call is not part of them", seen
    if original is None or not original.still_is(network):
        return None, seen
    tolerance = OF_COPY.get(next((y.dtype for y in seen[0] if y.is_floating_point()), torch.float64), OF_COPY_IN_HALF)
    apart: str | None = None
    for without_tables in (False, True):  # which may have grown old in the original; the copy has none of them
        with left_as_found(original.network, without_tables):
            wanted = observed(original.network.forward, *args, **kwargs)
        apart = difference(wanted, [seen], tolerance, "of a copy")
        if apart is None or not any(has_switch(module) for module in original.network.modules()):
            break
    return apart, seen


def _doubt(
    network: nn.Module, shortcuts: Shortcuts, x: Tensor, values: list[Tensor], gradient: Tensor | None
) -> str | None:
    """Take the shortcuts; say why they should not have been taken, or None."""
    if gradient is None or not gradient.abs().max() > 0:
        return "its gradient at the first inputs is zero, or not a number, and shows nothing"
    shortcuts.take(network)
    seen = []
    if isinstance(network, AffineStem):
        stem, rest = network.affine_stem, network.after_stem
        shortcuts.trust(stem(x))
        seen.append(observed(lambda x: rest(stem(x)), x))
    if isinstance(network, ClosedFormGradient):
        seen.append((values, by_closed_form(network, x)))
    seen.append(observed(network.forward, x))
    apart = difference((values, gradient), seen, TOLERANCE.get(x.dtype, TOLERANCE_OF_HALF), "with them")
    return apart if shortcuts.switch.on else "it reads what its layers pass to one another"


def _tensors(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]
