"""Retraining on the k highest-ranked features (2412.13864): networks side by side, against one after another."""

from functools import partial

import torch
from torch import Tensor

from benchmarks.turns import Candidate, Job, Work
from igbaselines.studies.hep.networks.recipe import DNNRecipe
from igbaselines.studies.hep.networks.training import train
from igbaselines.studies.hep.networks.training_data import TrainingData

FEATURES, NETWORKS = 100, 8
TOGETHER, ALONE = "igbaselines, 8 networks side by side", "the same, one after another"


def job(quick: bool) -> Job:
    """Eight Swish networks, each on its own features of the same events; the units are networks."""
    size = (2000, 1) if quick else (20_000, 4)
    candidates = [
        Candidate(TOGETHER, partial(side_by_side, *size)),
        Candidate(ALONE, partial(one_after_another, *size), tolerance=1e-2),
    ]
    title = f"Top-k retraining: {NETWORKS} networks of {FEATURES}-128-128-1, {size[0]:,} events, {size[1]} epochs"
    return Job("retraining", title, "all networks", 1, candidates)


def _data(events: int, epochs: int) -> tuple[TrainingData, Tensor, DNNRecipe]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(events, FEATURES, generator=generator)
    target = (x[:, :10].sum(dim=1) + torch.randn(events, generator=generator) > 0).float()
    train_part, validation = torch.arange(events).split([events * 3 // 4, events - events * 3 // 4])
    ranks = torch.randperm(FEATURES, generator=generator)
    masks = torch.stack([ranks < k for k in range(4, 4 + 4 * NETWORKS, 4)])
    recipe = DNNRecipe(
        dropout=0.2,
        learning_rate=2e-3,
        weight_decay=1e-4,
        batch_size=512,
        epoch_events=events,
        max_epochs=epochs,
        patience=epochs,
        networks_at_once=NETWORKS,
        hidden=[128, 128],
        activation="swish",
    )
    return TrainingData(x, target, train_part, validation), masks, recipe


def side_by_side(events: int, epochs: int) -> Work:
    """One batch of networks."""
    data, masks, recipe = _data(events, epochs)
    return lambda _: train(data, masks, recipe, (0,)).loss


def one_after_another(events: int, epochs: int) -> Work:
    """Batches of one."""
    data, masks, recipe = _data(events, epochs)
    return lambda _: torch.cat([train(data, mask[None], recipe, (0,)).loss for mask in masks])
