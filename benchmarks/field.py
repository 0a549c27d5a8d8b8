"""The field's methods against their authors' code (PAIR's saliency 0.2.1) on photographs, and IDGI against plain IG.

saliency walks one picture at a time (Guided IG), and takes one point a pass by default (Blur IG); it is given a batch.
No walk ends before its gradients, one after another, are taken: they are the limit.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.images import Pictures
from benchmarks.turns import Candidate, Goal, Job, Work
from igbaselines.attribution import LeftRiemann, RightRiemann, path_attribution
from igbaselines.attribution.baselines import ZeroBaseline
from igbaselines.attribution.engine.chunking import automatic_max_batch
from igbaselines.attribution.field.blur_ig import ScaleSpace
from igbaselines.attribution.field.guided_ig import Guided
from igbaselines.attribution.field.idgi import ImportantDirection
from igbaselines.attribution.field.regions import Regions, evened, labels_of
from igbaselines.attribution.methods import AveragedGradients
from igbaselines.models.inference import for_gradients

OURS, THEIRS, PLAIN, LIMIT = "igbaselines", "PAIR saliency", "igbaselines, plain IG", "limit: its gradients alone"
ARCHITECTURE, STEPS, SIDE = "mobilenet_v2", 20, 224
FRACTION, MAX_DIST, SIGMA, AT_ONCE = 0.25, 0.02, 20.0, 8
CLOSE = 1e-5  # in float64
Array = np.ndarray[Any, Any]


def jobs(quick: bool) -> list[Job]:
    """Guided IG and Blur IG of one photograph and of eight, IDGI and the regions of XRAI of one."""
    found = [
        _job(name, title, n, ours, theirs, goal, quick)
        for name, title, ours, theirs in (
            ("guided_ig", "Guided IG", guided, their_guided),
            ("blur_ig", "Blur IG", blur, their_blur),
        )
        for n, goal in ((1, 2.0), (8, 5.0))
        if n == 1 or not quick
    ]
    pictures = _pictures(1, quick)
    candidates = [Candidate(OURS, partial(idgi, pictures)), Candidate(PLAIN, partial(plain, pictures))]
    goals = [Goal(OURS, PLAIN, 1 / 1.1)]
    found.append(Job("idgi-1", f"IDGI, 1 photograph x {STEPS} steps", "photographs", 1, candidates, goals))
    candidates = [
        Candidate(OURS, partial(regions, pictures)),
        Candidate(THEIRS, partial(their_regions, pictures), CLOSE),
    ]
    title = f"XRAI: the regions of 1 photograph, {SIDE} px"
    return [*found, Job("xrai-1", title, "photographs", 1, candidates, [Goal(OURS, THEIRS, 1.0)])]


def _job(
    name: str, title: str, n: int, ours: Callable[..., Work], theirs: Callable[..., Work], goal: float, quick: bool
) -> Job:
    pictures, exactly = _pictures(n, quick), partial(Pictures.make, ARCHITECTURE, 1, 3, 64, torch.float64)
    candidates = [
        Candidate(who, partial(work, pictures), CLOSE, partial(work, exactly))
        for who, work in ((OURS, ours), (THEIRS, theirs))
    ]
    candidates.append(Candidate(LIMIT, partial(gradients_alone, pictures, n if ours is guided else AT_ONCE)))
    said = f"{title}, {n} photograph{'s' * (n > 1)} x {STEPS} steps, {ARCHITECTURE}, {SIDE} px"
    return Job(f"{name}-{n}", said, "photographs", n, candidates, [Goal(OURS, THEIRS, goal)], LIMIT, fewest_units=n)


def _pictures(n: int, quick: bool) -> partial[Pictures]:
    return partial(Pictures.make, ARCHITECTURE, n, 3 if quick else STEPS, 64 if quick else SIDE)


def _by_engine(make: partial[Pictures], hooks: Callable[[Pictures], dict[str, Any]]) -> Work:
    pictures = make()
    f = for_gradients(pictures.network)
    most, options = automatic_max_batch(lambda x: f(x).sum(), pictures.inputs[:1]), hooks(pictures)
    starts = options.pop("starts", lambda x: torch.zeros_like(x))

    def work(k: int) -> Tensor:
        x = pictures.inputs[:k]
        return path_attribution(
            f, x, starts(x)[:, None], target=pictures.target[:k], max_batch=most, **options
        ).attributions

    return work


def guided(make: partial[Pictures]) -> Work:
    """Guided IG from black."""
    return _by_engine(make, lambda p: {"rule": LeftRiemann(p.steps), "path": Guided(FRACTION, MAX_DIST)})


def blur(make: partial[Pictures]) -> Work:
    """Blur IG with the choices of the released code."""
    path = ScaleSpace(SIGMA, mirrored=False, difference=0.01)
    return _by_engine(make, lambda p: {"rule": RightRiemann(p.steps), "path": path, "starts": path.start})


def idgi(make: partial[Pictures]) -> Work:
    """IDGI from black."""
    return _by_engine(make, lambda p: {"rule": LeftRiemann(p.steps), "integrand": ImportantDirection()})


def plain(make: partial[Pictures]) -> Work:
    """Integrated Gradients at the same nodes."""
    return _by_engine(make, lambda p: {"rule": LeftRiemann(p.steps)})


def gradients_alone(make: partial[Pictures], at_once: int) -> Work:
    """As many gradients of the network made for them as the job has, so many a pass."""
    pictures = make()
    f = for_gradients(pictures.network)
    f(pictures.inputs[:1])  # the first call checks it

    def work(k: int) -> None:
        for _ in range(-(-k * pictures.steps // at_once)):
            batch = pictures.inputs[:1].expand(at_once, -1, -1, -1).clone().requires_grad_()
            torch.autograd.grad(f(batch)[:, 0].sum(), batch)

    return work


def regions(make: partial[Pictures]) -> Work:
    """XRAI's segments and regions, of pixels that have something already."""
    pictures, of = make(), Regions(AveragedGradients(ZeroBaseline()))

    def work(k: int) -> Tensor:
        labels_of.cache_clear()
        return torch.from_numpy(evened(_pixels(pictures), of.masks(pictures.inputs[0])))

    return work


def their_regions(make: partial[Pictures]) -> Work:
    """Those of saliency, which takes the largest of a pixel's channels: all are the same."""
    from saliency.core import XRAI

    pictures, explainer = make(), XRAI()
    pixels, picture = np.repeat(_pixels(pictures)[..., None], 3, axis=-1), pictures.inputs[0].movedim(0, -1).double()
    return lambda k: torch.from_numpy(explainer.GetMask(picture.numpy(), None, base_attribution=pixels))


def _pixels(pictures: Pictures) -> Array:
    found: Array = np.random.default_rng(0).normal(size=pictures.inputs.shape[-2:])
    return found


def _gradients(pictures: Pictures) -> Callable[..., dict[str, Array]]:
    """The network as saliency calls it, channels last."""
    from saliency.core import INPUT_OUTPUT_GRADIENTS

    def call(points: Array, call_model_args: int, expected_keys: list[str]) -> dict[str, Array]:
        batch = torch.from_numpy(np.asarray(points)).to(pictures.inputs.dtype).movedim(-1, 1).requires_grad_()
        value = pictures.network(batch)[:, call_model_args].sum()
        return {INPUT_OUTPUT_GRADIENTS: torch.autograd.grad(value, batch)[0].movedim(1, -1).numpy()}

    return call


def _one_by_one(pictures: Pictures, mask: Callable[[Array, int], Array]) -> Work:
    def work(k: int) -> Tensor:
        channels_last = pictures.inputs[:k].movedim(1, -1).contiguous().numpy()
        found = [mask(x, int(target)) for x, target in zip(channels_last, pictures.target[:k], strict=True)]
        return torch.from_numpy(np.stack(found)).movedim(-1, 1)

    return work


def their_guided(make: partial[Pictures]) -> Work:
    """GuidedIG of saliency; numpy 2.4 has dropped the name that it has for an argument of `quantile`."""
    from saliency.core import GuidedIG, guided_ig

    pictures, quantile = make(), np.quantile

    class Numpy:
        """numpy, with the argument's old name."""

        def __getattr__(self, name: str) -> Any:  # noqa: ANN401
            return getattr(np, name)

        def quantile(self, a: Array, q: float, interpolation: Any) -> Any:  # noqa: ANN401
            return quantile(a, q, method=interpolation)

    guided_ig.np = Numpy()
    call, explainer = _gradients(pictures), GuidedIG()

    def mask(x: Array, target: int) -> Array:
        found: Array = explainer.GetMask(x, call, target, x_steps=pictures.steps, fraction=FRACTION, max_dist=MAX_DIST)
        return found

    return _one_by_one(pictures, mask)


def their_blur(make: partial[Pictures]) -> Work:
    """BlurIG of saliency, several points a pass; of even steps, which alone it weighs right then."""
    from saliency.core import BlurIG

    pictures = make()
    call, explainer = _gradients(pictures), BlurIG()

    def mask(x: Array, target: int) -> Array:
        found: Array = explainer.GetMask(x, call, target, max_sigma=SIGMA, steps=pictures.steps, batch_size=AT_ONCE)
        return found

    return _one_by_one(pictures, mask)
