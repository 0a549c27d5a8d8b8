"""Networks that declare an affine first step, behind which the engine works (`igbaselines.attribution.AffineStem`)."""

from torch import Tensor, nn


class Stemmed(nn.Module):
    """A network f(x) = after_stem(affine_stem(x))."""

    def affine_stem(self, x: Tensor) -> Tensor:
        """The affine first step, (m, *features) -> (m, *hidden)."""
        raise NotImplementedError

    def after_stem(self, z: Tensor) -> Tensor:
        """Everything behind the stem, (m, *hidden) -> (m,) or (m, outputs)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """The output, (m,) or (m, outputs)."""
        return self.after_stem(self.affine_stem(x))


class OfOutput(Stemmed):
    """A function of a network's output; the network's stem stays declared."""

    def __init__(self, network: Stemmed) -> None:
        super().__init__()
        self.network = network
        self.training = network.training

    def of_output(self, output: Tensor) -> Tensor:
        """The function."""
        raise NotImplementedError

    def affine_stem(self, x: Tensor) -> Tensor:
        """The network's stem."""
        return self.network.affine_stem(x)

    def after_stem(self, z: Tensor) -> Tensor:
        """The function of what comes from behind the stem."""
        return self.of_output(self.network.after_stem(z))
