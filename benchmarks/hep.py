"""The job of 2412.13864: 1000 events x 20 baselines x 50 nodes through a Swish network of 100 features, 128 and 128."""

from copy import deepcopy
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.peers import Peer, by_captum, by_path_explain, by_saliency, by_shap
from benchmarks.turns import Candidate, Goal, Job, Work, fastest
from igbaselines.attribution import GaussLegendre, path_attribution
from igbaselines.models.inference import for_gradients
from igbaselines.models.linear import linear_without_graph
from igbaselines.models.standardise import Standardise
from igbaselines.studies.hep.networks.dnn import DNN

FEATURES, HIDDEN = 100, [128, 128]
CHUNKS = (256, 512, 1024, 2048, 4096)
NO_MORE = 1.05  # times the error: rounding scatters
SIZES = (250, 500, 1000, 4000)  # of others' passes
OURS, FEW, PLAIN, CAPTUM = "igbaselines", "igbaselines, as accurate", "igbaselines, no fast path", "Captum, best batch"
GRADIENTS, PRODUCTS = "limit: its gradients by autograd", "limit: its matrix products"


@dataclass(frozen=True)
class Events:
    """What is attributed."""

    network: DNN
    inputs: Tensor
    baselines: Tensor
    nodes: int

    @classmethod
    def make(cls, n: int, k: int, nodes: int) -> "Events":
        """Events and a network with random weights, the same in every process."""
        generator = torch.Generator().manual_seed(0)
        torch.manual_seed(0)
        mean, scale = torch.randn(FEATURES, generator=generator), torch.rand(FEATURES, generator=generator) + 0.5
        network = DNN(Standardise(mean, scale), HIDDEN, dropout=0.2).eval().requires_grad_(False)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm1d):
                for tensor in (module.running_mean, module.running_var, module.weight, module.bias):
                    assert tensor is not None
                    nn.init.uniform_(tensor, 0.5, 1.5, generator=generator)
        inputs, baselines = (torch.randn(rows, FEATURES, generator=generator) * scale + mean for rows in (n, k))
        return cls(network, inputs, baselines, nodes)


def job(quick: bool) -> Job:
    """The job, and what it is measured against."""
    size = (40, 3, 50) if quick else (1000, 20, 50)
    events = partial(Events.make, *size)
    few = fewest_nodes(events())
    candidates = [
        Candidate(OURS, partial(ours, events)),
        Candidate(FEW, partial(ours, events, few), tolerance=1e-5),
        Candidate(PLAIN, partial(plain, events), tolerance=1e-5),
        Candidate(CAPTUM, partial(at_best_size, by_captum, events), tolerance=1e-5),
        Candidate("Captum, default", partial(by_peer, by_captum, events), tolerance=1e-5),
        # The next two weigh both ends of the path fully: their error falls as 1 / steps.
        Candidate("path_explain, best batch", partial(at_best_size, by_path_explain, events), tolerance=0.1),
        Candidate("PAIR saliency, best batch", partial(by_peer, by_saliency, events, size[2]), tolerance=0.1),
        Candidate("shap GradientExplainer, best batch", partial(by_peer, by_shap, events, 250)),  # random points
        Candidate(GRADIENTS, partial(bare_gradients, events)),
        Candidate(PRODUCTS, partial(bare_products, events)),
    ]
    goals = [Goal(OURS, CAPTUM, 20), Goal(FEW, CAPTUM, 80), Goal(OURS, PRODUCTS, 1 / 3)]
    title = f"HEP network: {size[0]} events x {size[1]} baselines x {size[2]} nodes ({few} where as accurate)"
    return Job("hep", title, "baselines", size[1], candidates, goals, PRODUCTS)


def fewest_nodes(events: Events) -> int:
    """The fewest Gauss-Legendre nodes with which the error, that of rounding to float32, is no more than with all."""
    inputs, baselines = events.inputs[:50], events.baselines[:2]
    network, fast = deepcopy(events.network).double(), for_gradients(events.network)
    exact = path_attribution(network, inputs.double(), baselines.double(), rule=GaussLegendre(200)).attributions

    def error(nodes: int) -> float:
        found = path_attribution(fast, inputs, baselines, rule=GaussLegendre(nodes)).attributions
        return float((found - exact).square().mean().sqrt())

    allowed = NO_MORE * error(events.nodes)
    return next(nodes for nodes in range(2, events.nodes + 1) if error(nodes) <= allowed)


def ours(make: partial[Events], nodes: int | None = None) -> Work:
    """The engine."""
    events = make()
    fast = for_gradients(events.network)
    rule = GaussLegendre(nodes or events.nodes)
    return lambda k: path_attribution(fast, events.inputs, events.baselines[:k], rule=rule).attributions


def plain(make: partial[Events]) -> Work:
    """The engine without any of its fast paths: the network as it was trained, by autograd, from its inputs on."""
    events = make()
    rule = GaussLegendre(events.nodes)
    forward = events.network.forward
    return lambda k: path_attribution(forward, events.inputs, events.baselines[:k], rule=rule).attributions


def by_peer(peer: Peer, make: partial[Events], size: int | None = None) -> Work:
    """Somebody else's."""
    events = make()
    peer(events.network, events.inputs[:1], events.baselines[:1], 2, None, None)  # its imports
    return lambda k: peer(events.network, events.inputs, events.baselines[:k], events.nodes, None, size)


def at_best_size(peer: Peer, make: partial[Events]) -> Work:
    """Somebody else's, with the batch size that is fastest here."""
    events = make()
    few = events.inputs, events.baselines[:1]
    size = fastest(lambda size: partial(peer, events.network, *few, events.nodes, None, size), SIZES)
    return lambda k: peer(events.network, events.inputs, events.baselines[:k], events.nodes, None, size)


def bare_gradients(make: partial[Events]) -> Work:
    """Forward and backward behind the stem for as many points as the job has, and nothing else."""
    events = make()
    fast = for_gradients(events.network)
    fast(events.inputs)  # the first call checks it

    def work(chunk: int, k: int) -> None:
        points = torch.randn(chunk, HIDDEN[0]).requires_grad_()
        for _ in range(_passes(events, k, chunk)):
            torch.autograd.grad(fast.after_stem(points).sum(), points)

    return partial(work, fastest(lambda chunk: partial(work, chunk, 1), CHUNKS))


def bare_products(make: partial[Events]) -> Work:
    """As many points through the matrix products of forward and backward behind the stem alone."""
    events = make()
    weight = torch.randn(HIDDEN[1], HIDDEN[0])

    def work(chunk: int, k: int) -> None:
        points = torch.randn(chunk, HIDDEN[0])
        for _ in range(_passes(events, k, chunk)):
            linear_without_graph(linear_without_graph(points, weight), weight.T)

    return partial(work, fastest(lambda chunk: partial(work, chunk, 1), CHUNKS))


def _passes(events: Events, k: int, chunk: int) -> int:
    return -(-len(events.inputs) * k * events.nodes // chunk)
