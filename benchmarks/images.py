"""Integrated Gradients of photographs through five CNNs at 224 px, against Captum and the bare passes.

Weights are random but for efficientnet_lite0, whose package brings them: speed does not depend on them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torchvision
from torch import Tensor, nn

from benchmarks.peers import Peer, by_captum, by_saliency, by_shap
from benchmarks.turns import Candidate, Goal, Job, Work, fastest
from igbaselines.attribution import GaussLegendre, path_attribution
from igbaselines.attribution.engine.chunking import automatic_max_batch
from igbaselines.models.inference import for_gradients
from igbaselines.studies.images.networks.network import ImageNetwork
from igbaselines.studies.images.networks.recipe import EfficientNetLite
from igbaselines.tasks import Function

NETWORKS = {"mobilenet_v2": 2.0, "efficientnet_lite0": 2.0, "resnet50": 1.25, "densenet121": 1.15, "vgg16": 1.15}
SIDE, BASELINES = 224, 6
SIZES = (8, 16)  # gradient points in a pass, of others and of the limit
OURS, PLAIN, CAPTUM, LIMIT = "igbaselines", "igbaselines, no fast path", "Captum, best batch", "limit: bare passes"
CLOSE = 1e-9  # in float64


@dataclass(frozen=True)
class Pictures:
    """What is attributed."""

    network: ImageNetwork
    inputs: Tensor
    baselines: Tensor
    target: Tensor
    steps: int

    @classmethod
    def make(
        cls, architecture: str, n: int, steps: int, side: int = SIDE, dtype: torch.dtype = torch.float32
    ) -> "Pictures":
        """Random pictures, smooth as photographs are, the same in every process."""
        generator = torch.Generator().manual_seed(0)
        coarse = torch.rand(n + BASELINES, 3, 8, 8, generator=generator)
        pictures = nn.functional.interpolate(coarse, size=(side, side), mode="bilinear")
        # Where a picture is flat, max pooling has ties, and who wins them, and the gradient, is nobody's error.
        pictures = pictures + 0.01 * torch.rand(pictures.shape, generator=generator)
        pictures, network = pictures.to(dtype), make_network(architecture, side).to(dtype)
        target = network(pictures[:n]).argmax(dim=1)
        return cls(network, pictures[:n], pictures[n:], target, steps)


def make_network(architecture: str, side: int) -> ImageNetwork:
    """A frozen classifier; batch statistics as of random pictures, so that activations neither vanish nor grow."""
    if architecture.startswith("efficientnet_lite"):
        return EfficientNetLite(architecture, size=side).load(torch.device("cpu"))
    torch.manual_seed(0)
    network = torchvision.models.get_model(architecture, weights=None).requires_grad_(False)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    if norms:  # in float64: every process has to get the same statistics to the last bit of float32
        network.double().train()(torch.randn(4, 3, 64, 64, dtype=torch.float64))
    return ImageNetwork(network.float(), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]).eval()


def job(architecture: str, n: int, steps: int, quick: bool, everybody: bool = False) -> Job:
    """One network and one size of the job.

    Args:
        architecture: of the network.
        n: pictures.
        steps: nodes on each path.
        quick: tiny pictures and paths, to see that it works.
        everybody: with the slower peers and the plain engine.
    """
    name, steps, side = f"{architecture}-{n}x{steps}", 4 if quick else steps, 64 if quick else SIDE
    pictures = partial(Pictures.make, architecture, n, steps, side)
    # In float32 a rounding error moves some ReLU over its edge, where the gradient jumps: of a network with random
    # weights, attributions differ by percents. So results are compared in float64, and on small pictures, for the time.
    exactly = partial(Pictures.make, architecture, 1, 2, 64, torch.float64)

    def candidate(name: str, prepare: Callable[..., Work], *options: object, close: float | None = CLOSE) -> Candidate:
        return Candidate(name, partial(prepare, pictures, *options), close, partial(prepare, exactly, *options))

    candidates = [
        candidate(OURS, ours),
        candidate(CAPTUM, by_captum_at_best),
        Candidate(LIMIT, partial(bare_passes, pictures)),
    ]
    if everybody:
        candidates += [
            candidate(PLAIN, plain),
            candidate("Captum, default", by_captum_at_best, (None,)),
            candidate("Captum, best batch, our network", by_captum_at_best, SIZES, True),
            # Both ends of the path weigh fully, or points are random: as many passes for another sum.
            Candidate("PAIR saliency, batches of 4", partial(by_peer, pictures, by_saliency, 4)),
            Candidate("shap GradientExplainer, batches of 4", partial(by_peer, pictures, by_shap, 4)),
        ]
    ends = (n + BASELINES) / (n * BASELINES * steps) / 3  # a forward pass is a third of a gradient
    note = f"f at both ends of the paths, which completeness needs and the limit leaves out, takes {ends:.0%}"
    goals = [Goal(OURS, LIMIT, 0.95, note), Goal(OURS, CAPTUM, NETWORKS[architecture])]
    title = f"{architecture}, {n} image{'s' * (n > 1)} x {BASELINES} baselines x {steps} nodes, {side} px"
    # Of a single path both ends are a larger part than of six; for the time, many pictures have to do with it.
    return Job(name, title, "baselines", BASELINES, candidates, goals, LIMIT, fewest_units=2 if n == 1 else 1)


def first_call_job(architecture: str, quick: bool) -> Job:
    """What `for_gradients` costs once for each network: the copy, its trace, and the check at the first call."""
    pictures = partial(Pictures.make, architecture, max(SIZES), 1, 64 if quick else SIDE)
    candidates = [
        Candidate("for_gradients and the checked first call", partial(prepared, pictures, True)),
        Candidate("for_gradients", partial(prepared, pictures, False)),
        Candidate(f"{max(SIZES)} gradients, for comparison", partial(bare_passes, pictures)),
    ]
    return Job(f"first_call-{architecture}", f"{architecture}: the check of its fast copy", "times", 1, candidates)


def prepared(make: partial[Pictures], called: bool) -> Work:
    """The copy that is made for gradients, called once or not."""
    pictures = make()

    def work(times: int) -> None:
        for _ in range(times):
            fast = for_gradients(pictures.network)
            if called:
                fast(pictures.inputs[:1])

    return work


def ours(make: partial[Pictures]) -> Work:
    """The engine with the network made for input gradients."""
    pictures = make()
    return _engine(for_gradients(pictures.network), pictures)


def plain(make: partial[Pictures]) -> Work:
    """The engine without any fast path."""
    pictures = make()
    return _engine(pictures.network.forward, pictures)


def _engine(f: Function, pictures: Pictures) -> Work:
    rule = GaussLegendre(pictures.steps)
    # Chosen once a network, as the experiments do it.
    max_batch = automatic_max_batch(lambda x: f(x).sum(), pictures.inputs[:1])

    def work(k: int) -> Tensor:
        return path_attribution(
            f, pictures.inputs, pictures.baselines[:k], rule=rule, target=pictures.target, max_batch=max_batch
        ).attributions

    return work


def by_peer(make: partial[Pictures], peer: Peer, size: int) -> Work:
    """Somebody else's."""
    p = make()
    peer(nn.Linear(2, 1).requires_grad_(False), torch.ones(1, 2), torch.zeros(1, 2), 2, torch.tensor([0]), None)
    return lambda k: peer(p.network, p.inputs, p.baselines[:k], p.steps, p.target, size)


def by_captum_at_best(make: partial[Pictures], sizes: tuple[int | None, ...] = SIZES, prepared: bool = False) -> Work:
    """Captum with the batch size that is fastest here; `prepared`: with the network made for gradients."""
    p = make()
    network = for_gradients(p.network) if prepared else p.network
    one = p.inputs[:1], p.baselines[:1], max(SIZES), p.target[:1]
    size = fastest(lambda size: partial(by_captum, network, *one, size), sizes, 1) if len(sizes) > 1 else sizes[0]
    return lambda k: by_captum(network, p.inputs, p.baselines[:k], p.steps, p.target, size)


def bare_passes(make: partial[Pictures]) -> Work:
    """Forward and backward of the network made for gradients, for as many points as the job has, and nothing else."""
    pictures = make()
    fast = for_gradients(pictures.network)
    fast(pictures.inputs)  # the first call checks it

    def passes(chunk: int, points: int) -> None:
        batch = pictures.inputs[:1].expand(chunk, -1, -1, -1).clone().requires_grad_()
        for _ in range(-(-points // chunk)):
            torch.autograd.grad(fast.after_stem(batch)[:, 0].sum(), batch)

    chunk = fastest(lambda chunk: partial(passes, chunk, max(SIZES)), SIZES, 1)
    return lambda k: passes(chunk, len(pictures.inputs) * k * pictures.steps)
