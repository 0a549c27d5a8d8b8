"""Which photographs an experiment explains: those that can be read, and that the network and the masks allow."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

import torch
from torch import Tensor

from igbaselines.common.errors import UserError
from igbaselines.common.progress import bar
from igbaselines.common.randomness import generator_for
from igbaselines.metrics import undirected
from igbaselines.running.context import Run
from igbaselines.studies.images.data.photographs import Photograph, Photographs
from igbaselines.studies.images.data.pictures import UnreadablePhotographError
from igbaselines.studies.images.experiments.classifier import PhotographClassifier
from igbaselines.studies.images.networks.class_names import class_names, imagenet_names
from igbaselines.tasks import Background

log = logging.getLogger(__name__)

WRONG_PREDICTION = "the prediction is not the label"
NO_OBJECT = "the predicted class has no mask in it"
UNREADABLE = "cannot be read"
READ_AT_ONCE = 16
NAMED_IN_THE_LOG = 20


@dataclass(frozen=True)
class Chosen:
    """A photograph to explain, of the class that the network takes it for, or that was asked for.

    Args:
        photograph: the photograph.
        predicted: the class.
        probability: of the class.
        label: the class by name; of two classes both, "cat, not dog".
        against: the class whose output is taken away from it; None: none is.
    """

    photograph: Photograph
    predicted: int
    probability: float
    label: str = ""
    against: int | None = None


@dataclass
class Selection:
    """What was chosen, and what was left out."""

    chosen: list[Chosen] = field(default_factory=list)  # the photographs to explain
    left_out: dict[str, str] = field(default_factory=dict)  # name -> reason
    labelled: int = 0  # readable photographs with a label
    correct: int = 0  # those of them that the network takes for what they are

    def leave_out(self, photograph: Photograph, reason: str, detail: str = "") -> None:
        """Count a photograph out; the log names every one that is broken, and the first few of the others."""
        self.left_out[photograph.name] = reason
        if detail or len(self.left_out) <= NAMED_IN_THE_LOG:
            log.info("left out: %s (%s%s)", photograph.name, reason, f": {detail}" if detail else "")

    @property
    def top1(self) -> float | None:
        """Share of the labelled photographs that the network takes for what they are."""
        return self.correct / self.labelled if self.labelled else None


def select(found: Photographs, classifier: PhotographClassifier) -> Selection:
    """Go through the candidates until enough are chosen.

    Raises:
        UserError: where none can be used, saying what was wrong with them, or the network has other classes.
    """
    wanted = found.wanted or len(found.candidates)
    selection, names = Selection(), names_of_classes(found, classifier)
    with bar("choosing photographs", wanted) as progress:
        read = zip(found.candidates, classifier.reader.ahead(found.candidates), strict=True)
        while len(selection.chosen) < wanted and (some := list(islice(read, READ_AT_ONCE))):
            predictions = _predictions(some, classifier, names)
            for photograph, _ in some:
                # Beyond the last one needed nothing counts: the rows do not depend on how many are read at once.
                if len(selection.chosen) < wanted:
                    _judge(photograph, predictions[photograph.name], found, classifier, selection)
                if photograph.name in selection.left_out:
                    classifier.reader.forget(photograph)
            progress(len(selection.chosen))
    _report(selection, found, classifier)
    return selection


def names_of_classes(found: Photographs, classifier: PhotographClassifier) -> Sequence[str]:
    """A name for each output of the network: the dataset's own, the user's (`model.labels`), or the publisher's.

    Raises:
        UserError: where the network has another number of classes.
    """
    own = imagenet_names() if found.of_imagenet else found.class_names
    return class_names(own, classifier.outputs, classifier.published, classifier.labels)


def photograph_background(
    candidates: Sequence[Photograph], classifier: PhotographClassifier, count: int, *key: int | str
) -> Background:
    """Photographs that baselines may be made of: the first one by name, then a random sample.

    Where all of them have labels these are the numbers of their strata, weighted by how frequent they are among all
    candidates.

    Raises:
        UserError: where not even one can be read.
    """
    first, *others = sorted(candidates, key=lambda photograph: photograph.name)
    order = torch.randperm(len(others), generator=generator_for(*key)).tolist()
    drawn = [first, *(others[index] for index in order)]
    pairs = zip(drawn, classifier.reader.ahead(drawn), strict=True)
    # One that cannot be read is named when its own turn comes.
    readable = ((one.label, pixels) for one, pixels in pairs if isinstance(pixels, Tensor))
    read = list(islice(readable, count))
    if not read:
        raise UserError("none of the photographs can be read")
    if len(read) < count:
        log.info("attribution.reference_images=%d: the dataset has %d, all are taken", count, len(read))
    labels, examples = [label for label, _ in read], torch.stack([pixels for _, pixels in read])
    centre = classifier.centre.expand_as(examples[0])
    if None in labels:
        return Background(examples, centre)
    frequency = torch.tensor([photograph.label for photograph in candidates], device=examples.device).bincount()
    stratum = torch.tensor(labels, device=examples.device)
    return Background(examples, centre, stratum, frequency.double() / len(candidates))


SELECTION = undirected("images_used", "images_left_out", "top1", "probability")


def add_selection(run: Run, selection: Selection) -> None:
    """Put what was chosen and what was left out, with the reasons, into the rows."""
    run.rows.add("data", "images_used", "all", len(selection.chosen))
    reasons = list(selection.left_out.values())
    for reason in dict.fromkeys(reasons):
        run.rows.add("data", "images_left_out", "all", reasons.count(reason), reason=reason)
    if selection.top1 is not None:
        run.rows.add("network", "top1", "all", selection.top1)


def _predictions(
    read: Sequence[tuple[Photograph, Tensor | UnreadablePhotographError]],
    classifier: PhotographClassifier,
    names: Sequence[str],
) -> dict[str, Chosen | UnreadablePhotographError]:
    """What the network takes each photograph for, or why it cannot be read."""
    found: dict[str, Chosen | UnreadablePhotographError] = {
        photograph.name: error for photograph, error in read if not isinstance(error, Tensor)
    }
    readable = [(photograph, pixels) for photograph, pixels in read if isinstance(pixels, Tensor)]
    if readable:
        probabilities, classes = classifier.predict(torch.stack([pixels for _, pixels in readable]))
        named = zip(readable, classes.tolist(), probabilities.tolist(), strict=True)
        for (photograph, _), predicted, probability in named:
            found[photograph.name] = Chosen(photograph, predicted, probability, names[predicted])
    return found


def _judge(
    photograph: Photograph,
    prediction: Chosen | UnreadablePhotographError,
    found: Photographs,
    classifier: PhotographClassifier,
    selection: Selection,
) -> None:
    if isinstance(prediction, UnreadablePhotographError):
        selection.leave_out(photograph, UNREADABLE, str(prediction))
        return
    if photograph.label is not None:
        selection.labelled += 1
        selection.correct += photograph.label == prediction.predicted
        if found.only_correct and photograph.label != prediction.predicted:
            selection.leave_out(photograph, WRONG_PREDICTION)
            return
    try:
        # Read in any case: now is the time to leave it out.
        without = classifier.reader.mask(photograph, prediction.predicted) is None
    except UnreadablePhotographError as error:
        selection.leave_out(photograph, UNREADABLE, str(error))
        return
    if found.mask_required and without:
        selection.leave_out(photograph, NO_OBJECT)
        return
    selection.chosen.append(prediction)


def _report(selection: Selection, found: Photographs, classifier: PhotographClassifier) -> None:
    if not selection.chosen:
        reasons = Counter(selection.left_out.values()).most_common(3)
        raise UserError("no photograph can be used: " + "; ".join(f"{n} x {reason}" for reason, n in reasons))
    used, wanted = len(selection.chosen), found.wanted
    log.info("%d photographs, %d left out", used, len(selection.left_out))
    if wanted is not None and used < wanted:
        log.warning("only %d of the %d photographs asked for (dataset.n_images) could be used", used, wanted)
    if selection.top1 is not None:
        log.info("top-1 on %d labelled photographs: %.3f", selection.labelled, selection.top1)
        if selection.top1 < classifier.minimum_top1:
            log.warning(
                "top-1 is under model.minimum_top1=%g: do weights and preprocessing (%d px) belong together?",
                classifier.minimum_top1,
                classifier.preprocessing.size,
            )
