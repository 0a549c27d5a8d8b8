"""Networks of self-attention between objects, side by side: one module, mapped over their parameters."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.func import functional_call, vmap

from igbaselines.models.standardise import Standardise
from igbaselines.studies.hep.networks.ensemble import Ensemble, Keep, State
from igbaselines.studies.hep.networks.object_attention import ObjectAttention


class AttentionEnsemble(Ensemble):
    """Networks of `ObjectAttention`.

    The state is `mask` (n, t, d), the features that each token of each network sees, and the module's parameters by
    their names, each with a first dimension over the networks.
    """

    def __init__(self, state: State, heads: int) -> None:
        super().__init__(state)
        _, tokens, features = state["mask"].shape
        width = state["norm.weight"].shape[1]
        blocks = sum(name.endswith("attended.weight") for name in state)
        self._sizes = features, tokens, width, heads, blocks
        self._module = _unfilled(nn.Identity(), self._sizes)

    @classmethod
    def initialise(
        cls,
        mask: Bool[Tensor, "n d"],
        tokens: Bool[Tensor, "t d"],
        width: int,
        heads: int,
        blocks: int,
        generator: torch.Generator,
    ) -> "AttentionEnsemble":
        """Draw initial weights, uniform within 1 / sqrt(fan-in) as PyTorch's linear layers have them.

        `tokens` has the features that describe what each token stands for. The same draws serve every network up to its
        mask, so that differences between them are paired.
        """
        seen = mask[:, None] & tokens
        module = _unfilled(nn.Identity(), (mask.shape[1], len(tokens), width, heads, blocks))
        state: State = {"mask": seen}
        for prefix, layer in module.named_modules():
            for name, parameter in layer.named_parameters(prefix, recurse=False):
                initial = torch.ones(parameter.shape) if name.endswith("weight") else torch.zeros(parameter.shape)
                if isinstance(layer, nn.Linear):
                    initial = torch.rand(parameter.shape, generator=generator, device=generator.device) * 2 - 1
                    initial /= math.sqrt(layer.in_features)
                state[name] = initial.to(mask.device).repeat(len(mask), *[1] * initial.dim())
        seen = seen.repeat_interleave(width, dim=1)
        # What a token sees is its fan-in; the token of an object that is not seen at all is its bias alone.
        enlarged = (mask.shape[1] / seen.sum(2).clamp_min(1)).sqrt()
        state["embedding.weight"] *= enlarged[..., None] * seen
        state["embedding.bias"] *= enlarged
        return cls(state, heads)

    @property
    def dropout_units(self) -> list[int]:
        """What the self-attention and the feed-forward layer of each block add."""
        _, tokens, width, _, blocks = self._sizes
        return [tokens * width] * 2 * blocks

    def mask_gradients(self) -> None:
        """Forget the gradients of weights to features that a token of a network does not see."""
        gradient = self.state["embedding.weight"].grad
        if gradient is not None:
            mask = self.state["mask"]
            gradient.unflatten(1, (mask.shape[1], -1)).mul_(mask[:, :, None])

    def network(self, index: int, standardise: Standardise, dropout: float) -> ObjectAttention:
        """Take one network out, with the standardisation that its inputs had."""
        own = {name: tensor[index].detach().clone() for name, tensor in self.trained().items()}
        statistics = (tensor.to(own["norm.weight"]) for tensor in (standardise.mean, standardise.scale))
        standardise = Standardise(*statistics)
        network = _unfilled(standardise, self._sizes, dropout)
        network.load_state_dict(own | standardise.state_dict(prefix="standardise."), assign=True)
        return network

    def logits(self, x: Float[Tensor, "b d"], keep: Keep = None) -> Float[Tensor, "n b"]:
        """Logits in training (with `keep`) or in evaluation mode."""
        logits: Tensor = vmap(lambda own: functional_call(self._module, own, (x, keep)))(self.trained())
        return logits


def _unfilled(standardise: nn.Module, sizes: tuple[int, int, int, int, int], dropout: float = 0.0) -> ObjectAttention:
    """The module on no device, whose parameters somebody brings: nothing is drawn from global randomness."""
    with torch.device("meta"):
        return ObjectAttention(standardise, *sizes, dropout).eval()
