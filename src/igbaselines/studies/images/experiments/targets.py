"""The user's question of a photograph: why this class, the second one, the first three, or this and not that."""

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches

import torch
from jaxtyping import Float
from torch import Tensor, nn

from igbaselines.common.errors import UserError
from igbaselines.models.stem import OfOutput, Stemmed
from igbaselines.studies.images.experiments.classifier import PhotographClassifier
from igbaselines.studies.images.experiments.selection import Chosen

PLACES = {"predicted": (0,), "second": (1,), "top3": (0, 1, 2)}  # in the order of their probability


class Against(OfOutput):
    """A network's outputs minus that of one class: that of any other is the difference of the two."""

    def __init__(self, network: Stemmed, against: int) -> None:
        super().__init__(network)
        self.against = against

    def of_output(self, output: Float[Tensor, "m classes"]) -> Float[Tensor, "m classes"]:
        """The differences."""
        return output - output[:, [self.against]]


class PlainAgainst(nn.Module):
    """The same of a network that declares no stem."""

    def __init__(self, network: nn.Module, against: int) -> None:
        super().__init__()
        self.network, self.against, self.training = network, against, network.training

    def forward(self, x: Float[Tensor, "m 3 h w"]) -> Float[Tensor, "m classes"]:
        """The differences."""
        output = self.network(x)
        return output - output[:, [self.against]]  # type: ignore[no-any-return]


def minus(network: nn.Module, against: int) -> nn.Module:
    """A network whose outputs are differences from that of one class."""
    return Against(network, against) if isinstance(network, Stemmed) else PlainAgainst(network, against)


def asked(
    chosen: Sequence[Chosen], target: str, against: str | None, names: Sequence[str], classifier: PhotographClassifier
) -> list[Chosen]:
    """Photographs with the classes that are asked for; of several a photograph stands there once for each.

    Raises:
        UserError: for a class that there is not, or one that is asked against itself in every photograph.
    """
    if target == "predicted" and against is None:
        return list(chosen)
    for key, one in (("target", target), ("against", against)):
        if one is not None and one not in PLACES:
            number_of(key, one, names)
    if against == "top3":
        raise UserError("evaluation.against=top3: one class is taken away, by name, number, predicted or second")
    found = [one for photograph in chosen for one in _of_photograph(photograph, target, against, names, classifier)]
    if not found:
        raise UserError(f"evaluation.target={target} evaluation.against={against}: the same class in every photograph")
    return found


def number_of(key: str, name: str, names: Sequence[str]) -> int:
    """The number of a class that is given by name or by number."""
    if name in names:
        return names.index(name)
    if name.isdigit() and int(name) < len(names):
        return int(name)
    near = get_close_matches(name, names, n=3)
    known = f"did you mean {' or '.join(near)}?" if near else f"there are {len(names)}, {names[0]} to {names[-1]}"
    raise UserError(f"evaluation.{key}={name} is no class: {known} Or {', '.join(PLACES)}.")


def _of_photograph(
    photograph: Chosen, target: str, against: str | None, names: Sequence[str], classifier: PhotographClassifier
) -> list[Chosen]:
    with torch.no_grad():
        probabilities = classifier.predicting(classifier.reader.pixels(photograph.photograph)[None])[0]
    order = probabilities.argsort(descending=True, stable=True).tolist()

    def numbers(key: str, one: str) -> list[int]:
        return [order[place] for place in PLACES[one][: len(order)]] if one in PLACES else [number_of(key, one, names)]

    other = None if against is None else numbers("against", against)[0]
    classes = [number for number in numbers("target", target) if number != other]
    found = []
    for number in classes:
        label = names[number] if other is None else f"{names[number]}, not {names[other]}"
        one = photograph.photograph
        named = one if len(classes) == 1 else replace(one, name=f"{one.name} ({names[number]})")
        found.append(Chosen(named, number, probabilities[number].item(), label, other))
    return found
