"""The engine: weighted path attributions for any set of baselines, weights and quadrature rule.

All three papers compute

    phi(x) = sum_k w_k(x) * (x - x'_k) * sum_s c_s grad f(x'_k + a_s (x - x'_k))

(2412.13864 eqs. 1 and 2; 2310.04821; 2505.03201 eq. 6) and differ in the baselines x'_k, the weights w_k and
the quadrature (a_s, c_s). The points (input, baseline, step) are a stream that is cut into chunks, so memory
does not grow with any of them.
"""

from collections import deque

import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.attribution.engine.blocks import size, split
from igbaselines.attribution.engine.chunking import automatic_max_batch, halved, unless_memory_runs_out
from igbaselines.attribution.engine.evaluation import evaluation_mode
from igbaselines.attribution.engine.grid import Paths
from igbaselines.attribution.engine.hooks import (
    FollowsOutput,
    Integrand,
    Path,
    Walk,
    check_hooks,
    given_up,
)
from igbaselines.attribution.engine.quadrature import GaussLegendre, QuadratureRule
from igbaselines.attribution.engine.randomness import no_random_numbers
from igbaselines.attribution.engine.refusals import asked_together, refuse_where
from igbaselines.attribution.engine.result import Attribution, Progress
from igbaselines.attribution.engine.validation import (
    check_options,
    check_paths,
    read_arguments,
    tolerance_of_values,
)
from igbaselines.common.devices import sent
from igbaselines.tasks import Function
from igbaselines.tasks.outputs import Target


@asked_together()
def path_attribution(
    f: Function,
    inputs: Float[Tensor, "n *features"],
    baselines: Float[Tensor, "k *features"] | Float[Tensor, "n k *features"] | float | int,
    weights: Float[Tensor, "..."] | None = None,
    rule: QuadratureRule = GaussLegendre(32),  # noqa: B008 (frozen)
    target: Target | None = None,
    max_batch: int | None = None,
    keep_per_baseline: bool = False,
    progress: Progress | None = None,
    generator: torch.Generator | None = None,
    path: Path | Walk | None = None,
    integrand: Integrand | None = None,
) -> Attribution:
    """Attribute f(inputs) to the features along straight paths from baselines.

    All modules that f runs, wherever it holds them, are run in evaluation mode and left as they were found: modes,
    parameters, buffers, and tables that they keep of them. f gets points of its own to write into: inputs and baselines
    stay as they are.

    Args:
        f: the explained function, (m, *features) -> (m,), or -> (m, classes) where `target` is given; each output a
            matter of its point alone, with a gradient. What mixes points is refused where the first baseline's value
            changes with the points beside it; what mixes them weakly, by their number alone or elsewhere is not found,
            nor what has then become of buffers that f wrote to. Random numbers of torch's global generators are
            refused; those of others are f's own business. An `AffineStem` is differentiated behind its stem, a
            `ClosedFormGradient` without autograd; `f.forward` is neither.
        inputs: the inputs to explain.
        baselines: one set for all inputs, one set an input, or a number for all features, such as 0. Those of the
            inputs' shape are shared by all inputs, which a warning says: Captum takes them for pairs.
        weights: None for 1/k, or shape (k,), (n, k) or (n, k, *features).
        rule: the quadrature rule; an `Adaptive` one gives each pair as many nodes as it needs.
        target: class index of each input, in a tensor or a list, or one for all of them.
        max_batch: gradient points in one forward and backward pass; None chooses it from the memory there is. On a
            CPU networks that hide what they do, such as compiled ones, take no fewer than two
            (docs/torch_batch_norm.md).
        keep_per_baseline: keep the Integrated Gradients of every pair, n * k times the size of an input.
        progress: called with the number of gradient points done so far.
        generator: source of a random rule's nodes.
        path: how to get from baseline to input; None goes straight. A `Walk` takes as many steps as the rule has nodes.
        integrand: what is summed on the way; None sums gradient x move. With a path or an integrand a stem saves
            nothing: f is differentiated with respect to its inputs at every node.

    Returns:
        The attributions with the dtype and device of the inputs, and what is needed to judge them.

    Raises:
        ValueError: where an argument is of another kind (it names what came and what would do) or f returns anything
            but real values with a gradient, where shapes do not fit (both are printed), where something is not finite
            (it is named), where f draws random numbers or mixes points, and where a BatchNorm takes statistics of
            the batch even in evaluation mode.
    """
    check_options(rule, progress, generator)
    check_hooks(rule, path, integrand)
    given = read_arguments(f, inputs, baselines, weights, target, max_batch)
    inputs, starts, weights = given.inputs, given.baselines, given.weights
    n, k = starts.shape[:2]
    with evaluation_mode(f), torch.inference_mode(False), torch.enable_grad():
        paths = Paths(f, given, rule, generator, path, integrand)
        with no_random_numbers(paths.first_input):
            largest = max_batch or automatic_max_batch(paths.after_stem, paths.inputs_behind_stem[:1])
            while (values := unless_memory_runs_out(paths.values, largest)) is None:
                largest = halved(min(largest, n * k + 1), "point")
        f_inputs, f_baselines, beside = values
        forwards = None
        if isinstance(rule, FollowsOutput):
            while (asked := unless_memory_runs_out(paths.follow, rule, values, largest)) is None:
                largest = halved(min(largest, n * k), "point")
            forwards = torch.full((n,), k * asked, device=inputs.device)
        changes = f_inputs[:, None] - f_baselines
        attributions = torch.zeros_like(paths.inputs)
        totals = inputs.new_empty(n, k)
        per_baseline = inputs.new_empty(n, k, *inputs.shape[1:]) if keep_per_baseline else None
        gradients = torch.full((n, k), paths.steps)  # on the host, which tells the progress
        done = 0
        pending = deque([(slice(0, n), slice(0, k))])
        while pending:
            block = rows, columns = pending.popleft()
            parts = list(split(block, paths.steps_of_block, largest))
            if len(parts) > 1:
                pending.extendleft(reversed(parts))
                continue
            found = unless_memory_runs_out(paths.integrated_gradients, rows, columns, changes, largest)
            if found is None:  # memory ran out: halve the chunk and take the block again
                largest = halved(min(largest, size(rows) * size(columns) * paths.steps))
                pending.appendleft(block)
                continue
            integrated, gradients[rows, columns] = found
            attributions[rows] += (weights[rows, columns] * integrated).sum(dim=1)
            totals[rows, columns] = integrated.reshape(*integrated.shape[:2], -1).sum(dim=2)
            if per_baseline is not None:
                per_baseline[rows, columns] = integrated
            done += int(gradients[rows, columns].sum())
            if progress is not None:
                progress(done)
        gap = totals - changes
        tolerance = tolerance_of_values(f_inputs, f_baselines)

        def refuse(*_: int) -> None:
            with evaluation_mode(f), torch.no_grad():
                paths.check_apart(tolerance)

        check_paths(gap)
        refuse_where((beside - f_baselines[0, :1]).abs() > tolerance, refuse)
    shared = weights.shape[2:].numel() == 1
    pair_weights = weights.reshape(n, k).clone() if shared else None
    spent = sent(gradients, inputs.device)
    gives_up = given_up(rule, integrand)
    return Attribution(
        attributions,
        per_baseline,
        f_inputs,
        f_baselines,
        gap,
        pair_weights,
        spent,
        forwards=forwards,
        gives_up=gives_up,
    )
