"""A small transformer over the objects of an event: one token an object, and one for the event.

Pre-norm blocks of self-attention and a feed-forward layer (Vaswani et al., arXiv:1706.03762; Xiong et al.,
arXiv:2002.04745). A token is told apart from the others by the bias of its embedding.
"""

import math
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from igbaselines.studies.hep.networks.dnn import Classifier

Keep = Sequence[Tensor] | None


class Block(nn.Module):
    """Self-attention between tokens, then a layer with Swish for each by itself; both are added to their input."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.attended = nn.Linear(width, width)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Float[Tensor, "m t w"], keep: Keep = None) -> Float[Tensor, "m t w"]:
        """The tokens after the block; `keep` has dropout factors (t * w, m) of both steps, or dropout draws its own."""
        tokens = tokens + self._dropped(self._attention(self.attention_norm(tokens)), keep, 0)
        return tokens + self._dropped(self.feed_forward(self.feed_forward_norm(tokens)), keep, 1)

    def _attention(self, tokens: Tensor) -> Tensor:
        # (m, t, 3, heads, w / heads) to three of (m, heads, t, w / heads)
        split = self.queries_keys_values(tokens).unflatten(-1, (3, self.heads, -1)).transpose(-2, -4)
        query, key, value = split.unbind(-3)
        score = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        attended: Tensor = self.attended((score.softmax(-1) @ value).transpose(-2, -3).flatten(-2))
        return attended

    def _dropped(self, tokens: Tensor, keep: Keep, step: int) -> Tensor:
        dropped: Tensor = self.dropout(tokens) if keep is None else tokens * keep[step].T.view_as(tokens)
        return dropped


class ObjectAttention(Classifier):
    """From features in physical units to the logit of being signal, through tokens of objects.

    The embedding of all tokens is one linear layer, whose weights from features that do not describe an object are
    zero; with the standardisation before it, it is the stem.
    """

    def __init__(
        self, standardise: nn.Module, features: int, tokens: int, width: int, heads: int, blocks: int, dropout: float
    ) -> None:
        super().__init__()
        self.standardise = standardise
        self.tokens = tokens
        self.embedding = nn.Linear(features, tokens * width)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.logit = nn.Linear(width, 1)

    def affine_stem(self, x: Float[Tensor, "m d"]) -> Float[Tensor, "m h"]:
        """Standardisation and embedding."""
        z: Tensor = self.embedding(self.standardise(x))
        return z

    def after_stem(self, z: Float[Tensor, "m h"], keep: Keep = None) -> Float[Tensor, " m"]:
        """Everything behind the embedding; `keep` has the dropout factors of the blocks one after another."""
        tokens = z.unflatten(-1, (self.tokens, -1))
        for index, block in enumerate(self.blocks):
            tokens = block(tokens, None if keep is None else keep[2 * index : 2 * index + 2])
        logit: Tensor = self.logit(self.norm(tokens.mean(-2))).squeeze(-1)
        return logit

    def forward(self, x: Float[Tensor, "m d"], keep: Keep = None) -> Float[Tensor, " m"]:
        """The logit of being signal."""
        return self.after_stem(self.affine_stem(x), keep)
