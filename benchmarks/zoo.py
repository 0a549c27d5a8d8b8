"""Every family of timm and torchvision, with random weights: the engine with `for_gradients` against plain autograd.

    python -m benchmarks.zoo                      # all of them, in float64: an hour on one core, and one table
    python -m benchmarks.zoo resnet18 tv:mobilenet_v2

A small member of each family, on the smallest pictures that it takes. Ends with exit code 1 where attributions differ
by more than 1e-9 of the largest, or something raises.
"""

import argparse
import copy
import gc
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import timm
import torch
import torchvision
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from igbaselines.attribution import GaussLegendre, path_attribution
from igbaselines.models.inference import for_gradients
from igbaselines.models.joined import Joined

CLOSE = 1e-9
SIDES = (64, 96, 128, 192, 224, 240, 256)
NODES = 4
TIMM = """bat_resnext26ts beit_base_patch16_224 botnet26t_256 caformer_s18 cait_xxs24_224 coat_lite_tiny
coatnet_nano_rw_224 coatnext_nano_rw_224 convformer_s18 convit_tiny convmixer_768_32 convnext_atto cpubone_nano
crossvit_tiny_240 cs3darknet_focus_s cspnext_tiny davit_tiny deit_tiny_distilled_patch16_224 densenet121 dla34 dpn48b
ecaresnet26t edgenext_xx_small efficientformer_l1 efficientformerv2_s0 efficientnet_b0 efficientnet_cc_b0_4e
efficientnetv2_rw_t efficientvim_m1 efficientvit_b0 efficientvit_m0 ese_vovnet19b_slim eva02_tiny_patch14_224
fasternet_t0 fastvit_t8 fbnetc_100 flexivit_small focalnet_tiny_srf gcresnext26ts gcvit_xxtiny gernet_s ghostnet_050
gmlp_ti16_224 halonet26t hardcorenas_a hgnet_tiny hgnetv2_b0 hiera_tiny_224 hrnet_w18_small iformer_t
inception_next_atto inception_v3 lambda_resnet26t lcnet_050 lcnetv2_small legacy_seresnet18 levit_128s levit_conv_128s
lowformer_b0 mambaout_femto maxvit_rmlp_pico_rw_256 mixer_s32_224 mixnet_s mnasnet_small mobilenetv2_050
mobilenetv3_small_050 mobilenetv4_conv_small mobileone_s0 mobilevit_xxs mobilevitv2_050 mvitv2_tiny nest_tiny
nextvit_small nf_resnet26 pit_ti_224 poolformer_s12 pvt_v2_b0 rdnet_tiny regnetx_002 regnety_002 regnetz_005
repghostnet_050 repvgg_a0 repvit_m0_9 res2net50_14w_8s resmlp_12_224 resnest14d resnet18 resnet26d resnetblur18
resnetv2_18 resnext26ts rexnet_100 samvit_base_patch16 selecsls42b semnasnet_075 sequencer2d_s seresnext26t_32x4d
shvit_s1 skresnet18 starnet_s050 swiftformer_xs swin_tiny_patch4_window7_224 swinv2_tiny_window8_256
swinv2_cr_tiny_224 tf_efficientnet_lite0 tinynet_e tiny_vit_5m_224 tnt_s_patch16_224 tresnet_m twins_svt_small
visformer_tiny vit_relpos_small_patch16_224 vit_small_r26_s32_224 vit_tiny_patch16_224 vitamin_small_224 volo_d1_224
xception41 xcit_nano_12_p16_224""".split()  # noqa: SIM905
TORCHVISION = """convnext_tiny densenet121 efficientnet_b0 efficientnet_v2_s googlenet mnasnet0_5 mobilenet_v2
mobilenet_v3_small regnet_x_400mf regnet_y_400mf resnet18 resnet50 shufflenet_v2_x0_5 squeezenet1_0 swin_t swin_v2_t
vit_b_32""".split()  # noqa: SIM905
NAMES = [*TIMM, *(f"tv:{name}" for name in TORCHVISION)]
Row = tuple[str, int, str, float]


class Log(logging.Handler):
    """Keeps what `for_gradients` says."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:  # noqa: D102
        self.lines.append(record.getMessage())


@contextmanager
def logged() -> Iterator[list[str]]:
    """What `for_gradients` says meanwhile."""
    logger, handler = logging.getLogger("igbaselines.models"), Log()
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield handler.lines
    finally:
        logger.removeHandler(handler)


def make(name: str) -> tuple[nn.Module, int]:
    """A network in float64 and evaluation mode, and the smallest side of a picture that it takes."""
    torch.manual_seed(0)
    for side in SIDES:
        try:
            network = _made(name, side)
            with torch.no_grad():
                network(torch.rand(2, 3, side, side, dtype=torch.float64))
        except (RuntimeError, AssertionError, ValueError, IndexError, TypeError, ZeroDivisionError):
            if side == SIDES[-1]:
                raise
        else:
            return network, side
    raise AssertionError


def _made(name: str, side: int) -> nn.Module:
    network: nn.Module
    if name.startswith("tv:"):
        more = {"init_weights": True} if name == "tv:googlenet" else {}
        network = torchvision.models.get_model(name[3:], weights=None, num_classes=7, **more)
    else:
        try:
            network = timm.create_model(name, num_classes=7, img_size=side)
        except TypeError:
            network = timm.create_model(name, num_classes=7)
    with torch.no_grad():  # neither factors nor statistics as they are before training
        for parameter in network.parameters():
            if float(parameter.min()) == float(parameter.max()):
                parameter.add_(0.1 * torch.randn_like(parameter))
        for module in network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.momentum = 1.0
        network.double().train()(torch.rand(4, 3, side, side, dtype=torch.float64))
    return network.eval()


def expected(network: nn.Module, x: Tensor, black: Tensor, target: Tensor) -> Tensor:
    """Integrated Gradients of a class, by autograd at all nodes together."""
    nodes, weights = (torch.from_numpy(part) / 2 for part in np.polynomial.legendre.leggauss(NODES))
    points = (black + (nodes.view(-1, 1, 1, 1) + 0.5) * (x - black)).requires_grad_()
    (gradients,) = torch.autograd.grad(network(points)[:, int(target)].sum(), points)
    return (x - black) * (weights.view(-1, 1, 1, 1) * gradients).sum(0, keepdim=True)


def compare(name: str) -> Row:
    """The name, the side of the picture, what became of the copy, and how far attributions are apart."""
    network, side = make(name)
    coarse = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x, black = nn.functional.interpolate(coarse, size=(side, side), mode="bilinear").split(1)
    x = x + 0.01 * torch.rand(
        x.shape, generator=torch.Generator().manual_seed(1), dtype=x.dtype
    )  # no ties of max pools
    target = network(x).argmax(1)  # of the others some are zero everywhere: SqueezeNet ends in a ReLU
    wanted = expected(copy.deepcopy(network), x, black, target)
    with logged() as lines:
        fast = for_gradients(network)
        found = path_attribution(fast, x, black, rule=GaussLegendre(NODES), target=target).attributions
    joined = sum(isinstance(module, Joined) for module in fast.modules())
    became = f"{joined} layers joined" if joined or not lines else "plain"
    return name, side, "; ".join([became, *lines]), float((found - wanted).abs().max() / wanted.abs().max())


def main(names: Sequence[str]) -> int:
    """Compare them all; the number of those that differ or raise."""
    table, bad, start = Table("network", "side", "copy", "difference"), 0, time.perf_counter()
    console = Console(width=150)
    for name in names:
        try:
            _, side, became, apart = compare(name)
            row = (name, str(side), became[:90], f"{apart:.0e}")
            bad += not apart <= CLOSE
        except Exception as error:  # a network that cannot be explained is a line of the table, too
            row = (name, "", f"{type(error).__name__}: {error}"[:90].replace("\n", " "), "raised")
            bad += 1
        console.print(*row, f"[{time.perf_counter() - start:.0f} s]", markup=False)
        table.add_row(*row)
        gc.collect()
    console.print(table)
    console.print(f"{len(names)} networks, {bad} that differ by more than {CLOSE} or raise")
    return bad


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", default=NAMES, help="of timm, or tv:NAME of torchvision")
    raise SystemExit(1 if main(parser.parse_args().names or NAMES) else 0)
