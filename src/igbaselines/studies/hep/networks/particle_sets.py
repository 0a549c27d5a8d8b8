"""Deep Sets of particles (Zaheer et al. 2017, theorem 2; of jets, Komiske et al., arXiv:1810.05165, eq. 1.4).

    logit = F(event, sum over particles i that are there of Phi(p_i))

A column `jet_pt_2` is what the second jet has of `jet_pt`, and `jet_2_missing` is 1 where there is no second jet. All
particles share Phi, whatever place they have in the list, so their columns are standardised together; one that is not
there adds nothing, whatever its columns hold.
"""

import math
import re
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.func import functional_call, vmap

from igbaselines.common.errors import UserError
from igbaselines.models.standardise import Standardise
from igbaselines.studies.hep.networks.dnn import Classifier
from igbaselines.studies.hep.networks.ensemble import Ensemble, Keep, State

ABSENT = re.compile(r"(\w+)_(\d+)_missing")
PLACED = re.compile(r"(\w+)_(\d+)")


def particle_layout(feature_names: Sequence[str]) -> Bool[Tensor, "particles kinds d"]:
    """Say which column is which quantity of which particle.

    The last particle is the event, whose quantities are all other columns; the last quantity of the particles says that
    they are not there.

    Raises:
        UserError: where no column is of a particle.
    """
    placed = {name: found.groups() for name in feature_names if (found := PLACED.fullmatch(name))}
    absent = {name: found.groups() for name in feature_names if (found := ABSENT.fullmatch(name))}
    numbers: dict[str, set[int]] = {}
    for kind, number in placed.values():
        numbers.setdefault(kind, set()).add(int(number))
    # Numbered from 1 on, and more than one: lep_type_11 and lep_type_13 are values of a category.
    kinds = [kind for kind, found in numbers.items() if found == set(range(1, len(found) + 1)) and len(found) > 1]
    if not kinds:
        raise UserError(
            "model=particle_sets found no particles: features such as jet_pt_1 and jet_pt_2 are needed, which "
            "dataset=hep_ntuple makes of lists (dataset.jagged)"
        )
    owners = sorted({object_ for object_, _ in absent.values()}, key=len, reverse=True)
    owner = {kind: next((one for one in owners if kind.startswith(f"{one}_")), kind.split("_")[0]) for kind in kinds}
    particles = list(dict.fromkeys((owner[kind], n) for kind in kinds for n in sorted(numbers[kind])))
    places = {
        **{name: ((owner[kind], int(n)), kinds.index(kind)) for name, (kind, n) in placed.items() if kind in kinds},
        **{name: ((kind, int(n)), -1) for name, (kind, n) in absent.items() if (kind, int(n)) in particles},
    }
    event = [name for name in feature_names if name not in places]
    layout = torch.zeros(len(particles) + 1, max(len(kinds) + 1, len(event)), len(feature_names), dtype=torch.bool)
    for column, name in enumerate(feature_names):
        if name in places:
            particle, kind = places[name]
            layout[particles.index(particle), kind, column] = True
        else:
            layout[-1, event.index(name), column] = True
    return layout


def shared_standardisation(
    layout: Bool[Tensor, "particles kinds d"], standardise: Standardise
) -> tuple[Float[Tensor, " d"], Float[Tensor, " d"]]:
    """A factor and a shift of columns that are standardised one by one, after which particles have the same units.

    What says that a particle is not there is 1 or 0 again.
    """
    factor, shift = torch.ones_like(standardise.scale), torch.zeros_like(standardise.mean)
    for kind in layout[:-1, :-1].any(dim=0):
        if kind.any():
            mean = standardise.mean[kind].mean()
            variance = (standardise.scale[kind] ** 2 + (standardise.mean[kind] - mean) ** 2).mean()
            factor[kind] = standardise.scale[kind] / variance.sqrt()
            shift[kind] = (standardise.mean[kind] - mean) / variance.sqrt()
    absent = layout[:-1, -1].any(dim=0)
    factor[absent], shift[absent] = standardise.scale[absent], standardise.mean[absent]
    return factor, shift


class ParticleSet(Classifier):
    """From features in physical units to the logit of being signal.

    The stem is affine: columns in the places of particles and event, the first layer of Phi, and who is there.

    Args:
        standardise: of each column by itself.
        sizes: of the layout, and the width.
        dropout: of the event's hidden layer.
    """

    mask: Tensor
    fixed_factor: Tensor
    fixed_shift: Tensor

    def __init__(self, standardise: nn.Module, sizes: tuple[int, int, int, int], dropout: float = 0.0) -> None:
        super().__init__()
        particles, kinds, features, width = sizes
        self.sizes = sizes
        self.standardise = standardise
        self.register_buffer("mask", torch.zeros(particles, kinds, features))
        self.register_buffer("fixed_factor", torch.ones(features))
        self.register_buffer("fixed_shift", torch.zeros(features))
        self.particle = nn.Linear(kinds - 1, width)
        self.summed = nn.Linear(width, width)
        self.event = nn.Linear(width + kinds, width)
        self.dropout = nn.Dropout(dropout)
        self.logit = nn.Linear(width, 1)

    def affine_stem(self, x: Float[Tensor, "m d"]) -> Float[Tensor, "m h"]:
        """Each particle's first layer, who is there, and the event."""
        columns = self.standardise(x) * self.fixed_factor + self.fixed_shift
        placed = torch.einsum("md,pkd->mpk", columns, self.mask.to(columns))
        first = self.particle(placed[:, :-1, :-1])
        return torch.cat([first.flatten(1), 1 - placed[:, :-1, -1], placed[:, -1]], dim=1)

    def after_stem(self, z: Float[Tensor, "m h"], keep: Keep = None) -> Float[Tensor, " m"]:
        """The rest of Phi, the sum over who is there, and F; `keep` has the dropout factors of F's hidden layer."""
        particles, kinds, _, width = self.sizes
        first, there, event = z.split([(particles - 1) * width, particles - 1, kinds], dim=1)
        phi = nn.functional.silu(self.summed(nn.functional.silu(first.unflatten(1, (particles - 1, width)))))
        total = (phi * there.unsqueeze(-1)).sum(dim=1)
        hidden = nn.functional.silu(self.event(torch.cat([total, event], dim=1)))
        dropped = self.dropout(hidden) if keep is None else hidden * keep[0].T
        logit: Tensor = self.logit(dropped).squeeze(-1)
        return logit

    def forward(self, x: Float[Tensor, "m d"], keep: Keep = None) -> Float[Tensor, " m"]:
        """The logit of being signal."""
        return self.after_stem(self.affine_stem(x), keep)


class ParticleSets(Ensemble):
    """Networks of `ParticleSet` side by side: one module, mapped over their parameters.

    The state is `mask` (n, particles, kinds, d), the columns that each network sees in their places, `fixed_factor` and
    `fixed_shift` (n, d), and the module's parameters by their names, each with a first dimension over the networks.
    """

    def __init__(self, state: State) -> None:
        super().__init__(state)
        _, particles, kinds, features = state["mask"].shape
        self._sizes = particles, kinds, features, state["logit.weight"].shape[-1]
        self._module = _unfilled(nn.Identity(), self._sizes)

    @classmethod
    def initialise(
        cls,
        mask: Bool[Tensor, "n d"],
        feature_names: Sequence[str],
        standardise: Standardise | None,
        width: int,
        generator: torch.Generator,
    ) -> "ParticleSets":
        """Draw initial weights, uniform within 1 / sqrt(fan-in) as PyTorch's linear layers have them.

        The same draws serve every network. `standardise` is that of the events; None: they are in physical units.
        """
        n, d = mask.shape
        layout = particle_layout(feature_names).to(mask.device)
        if standardise is None:
            standardise = Standardise(torch.zeros(d, device=mask.device), torch.ones(d, device=mask.device))
        factor, shift = shared_standardisation(layout, standardise)
        state: State = {"mask": mask[:, None, None] & layout}
        state |= {"fixed_factor": factor.repeat(n, 1), "fixed_shift": shift.repeat(n, 1)}
        for prefix, layer in _unfilled(nn.Identity(), (*layout.shape, width)).named_modules():
            if isinstance(layer, nn.Linear):
                for name, parameter in layer.named_parameters(prefix):
                    drawn = torch.rand(parameter.shape, generator=generator, device=generator.device) * 2 - 1
                    initial = (drawn / math.sqrt(layer.in_features)).to(mask.device)
                    state[name] = initial.repeat(n, *[1] * initial.dim())
        return cls(state)

    @property
    def dropout_units(self) -> list[int]:
        """The event's hidden layer."""
        return [self._sizes[-1]]

    def mask_gradients(self) -> None:
        """Nothing to forget: what a network does not see is zero to it."""

    def network(self, index: int, standardise: Standardise, dropout: float) -> ParticleSet:
        """Take one network out, with the standardisation that its inputs had."""
        own = {name: tensor[index].detach().clone() for name, tensor in self.state.items()}
        statistics = (tensor.to(own["logit.bias"]) for tensor in (standardise.mean, standardise.scale))
        standardise = Standardise(*statistics)
        network = _unfilled(standardise, self._sizes, dropout)
        network.load_state_dict(own | standardise.state_dict(prefix="standardise."), assign=True)
        return network

    def logits(self, x: Float[Tensor, "b d"], keep: Keep = None) -> Float[Tensor, "n b"]:
        """Logits in training (with `keep`) or in evaluation mode."""
        logits: Tensor = vmap(lambda own: functional_call(self._module, own, (x, keep)))(self.state)
        return logits


def _unfilled(standardise: nn.Module, sizes: tuple[int, ...], dropout: float = 0.0) -> ParticleSet:
    """The module on no device, whose parameters somebody brings: nothing is drawn from global randomness."""
    particles, kinds, features, width = sizes
    with torch.device("meta"):
        return ParticleSet(standardise, (particles, kinds, features, width), dropout).eval()
