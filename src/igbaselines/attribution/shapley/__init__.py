"""Coalitions: Shapley Integrated Gradients, the sampler, and exact Shapley values (2310.04821)."""
