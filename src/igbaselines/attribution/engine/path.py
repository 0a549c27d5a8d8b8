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

from igbaselines.attribution.engine.adaptive import Adaptive, integrate_adaptively
from igbaselines.attribution.engine.batch_norm import mend_batch_norms
from igbaselines.attribution.engine.blocks import chunks, cut, size, split
from igbaselines.attribution.engine.chunking import automatic_max_batch, halved, unless_memory_runs_out
from igbaselines.attribution.engine.evaluation import evaluation_mode
from igbaselines.attribution.engine.quadrature import GaussLegendre, QuadratureRule
from igbaselines.attribution.engine.randomness import POINTS, no_random_numbers
from igbaselines.attribution.engine.result import AffineStem, Attribution, ClosedFormGradient, Progress
from igbaselines.attribution.engine.validation import (
    check_graph,
    check_options,
    check_paths,
    read_arguments,
    tolerance_of_values,
)
from igbaselines.tasks import Function
from igbaselines.tasks.outputs import Target, check_output

CHUNKS_OF_BLOCK = 16


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

    Returns:
        The attributions with the dtype and device of the inputs, and what is needed to judge them.

    Raises:
        ValueError: where an argument is of another kind (it names what came and what would do) or f returns anything
            but real values with a gradient, where shapes do not fit (both are printed), where something is not finite
            (it is named), where f draws random numbers or mixes points, and where a BatchNorm takes statistics of
            the batch even in evaluation mode.
    """
    check_options(rule, progress, generator)
    inputs, starts, weights, classes = read_arguments(f, inputs, baselines, weights, target, max_batch)
    n, k = starts.shape[:2]
    with evaluation_mode(f), torch.inference_mode(False), torch.enable_grad():
        paths = _Paths(f, inputs, starts, rule, classes, generator)
        with no_random_numbers(paths.first_input):
            largest = max_batch or automatic_max_batch(paths.after_stem, paths.inputs_behind_stem[:1])
            while (values := unless_memory_runs_out(paths.values, largest)) is None:
                largest = halved(min(largest, n * k + 1), "point")
        f_inputs, f_baselines, beside = values
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
        if check_paths(gap, (beside - f_baselines[0, :1]).abs() > tolerance):
            paths.check_apart(tolerance)
    shared = weights.shape[2:].numel() == 1
    pair_weights = weights.reshape(n, k).clone() if shared else None
    spent = gradients.to(inputs.device)
    return Attribution(attributions, per_baseline, f_inputs, f_baselines, gap, pair_weights, spent)


class _Paths:
    """The grid of (input, baseline, step) points, and the integral over any block of it."""

    def __init__(
        self,
        f: Function,
        inputs: Tensor,
        baselines: Tensor,
        rule: QuadratureRule,
        target: Tensor | None,
        generator: torch.Generator | None,
    ) -> None:
        self.inputs, self.baselines = inputs, baselines
        self.target = target
        self.largest_target = None if target is None else int(target.max())
        self.stem: Function = f.affine_stem if isinstance(f, AffineStem) else _identity
        self.network: Function = f.after_stem if isinstance(f, AffineStem) else f
        self.closed_form = f.gradient_after_stem if target is None and isinstance(f, ClosedFormGradient) else None
        n, k = baselines.shape[:2]
        nodes, coefficients = rule.nodes_and_weights((n, k), generator)
        self.nodes = nodes.to(inputs).expand(n, k, -1)
        self.coefficients = coefficients.to(inputs)
        self.steps = len(coefficients)
        self.has_batch_norms = inputs.device.type == "cpu"  # as far as is known: torch may get their gradients wrong
        self.never_alone = False  # whether a single point has to go through the network with a copy of itself
        self.adaptive = rule if isinstance(rule, Adaptive) else None
        # Many pairs come together: those of an adaptive rule that go on fill the chunks, and what is done once for
        # each block, such as the transpose of the stem, costs little beside its chunks.
        self.steps_of_block = 1 if self.adaptive else -(-self.steps // CHUNKS_OF_BLOCK)
        self.shared = baselines.stride(0) == 0 or n == 1
        with torch.no_grad():
            self.inputs_behind_stem = self._behind_stem(inputs)
            self.shared_behind_stem = self._behind_stem(baselines[0]) if self.shared else None

    def after_stem(self, points: Tensor, rows: Tensor | None = None) -> Tensor:
        """Evaluate the explained scalar at points behind the stem, for the class of their inputs (None: the first)."""
        output = self._output(points)
        if self.target is None:
            return output
        target = self.target[:1].expand(len(points)) if rows is None else self.target[rows]
        return output.gather(1, target[:, None]).squeeze(1)

    def _output(self, points: Tensor) -> Tensor:
        """Evaluate f at points behind the stem: (m,) without a target, (m, classes) with one."""
        # A copy, which f may write into: points may be a view of the caller's baselines, or a leaf of the graph.
        output = self.network(points.clone())
        check_output(output, points, self.largest_target)
        return output

    def _behind_stem(self, x: Tensor) -> Tensor:
        return x if self.stem is _identity else self.stem(x.clone())

    def integrated_gradients(
        self, rows: slice, columns: slice, changes: Tensor, max_batch: int
    ) -> tuple[Tensor, Tensor | int]:
        """Integrated Gradients of a block of pairs, (rows, columns, *features), and the gradient points of each."""
        start = self._baselines_behind_stem(rows, columns)
        starts, moves = start.flatten(0, 1), (self.inputs_behind_stem[rows].unsqueeze(1) - start).flatten(0, 1)
        row_of_pair = torch.arange(rows.start, rows.stop, device=start.device).repeat_interleave(start.shape[1])
        if self.adaptive is None:
            nodes = self.nodes[rows, columns].flatten(0, 1)
            total = self._by_fixed_rule(nodes, starts, moves, row_of_pair, max_batch)
            spent: Tensor | int = self.steps
        else:
            change = changes[rows, columns].flatten()
            total, taken = integrate_adaptively(
                self.gradients, starts, moves, change, row_of_pair, self.adaptive, max_batch
            )
            spent = taken.view(start.shape[:2])
        total = total.view_as(start)
        difference = self.inputs[rows].unsqueeze(1) - self.baselines[rows, columns]
        return difference * self._transpose_of_stem(total, difference), spent

    def _by_fixed_rule(
        self, nodes: Tensor, starts: Tensor, moves: Tensor, row_of_pair: Tensor, max_batch: int
    ) -> Tensor:
        """Integrate the gradient behind the stem with the same number of nodes for every pair, (pairs, *hidden)."""
        total = torch.zeros_like(moves)
        for pairs, steps in chunks(len(moves), slice(0, self.steps), max_batch):
            a = nodes[pairs, steps].reshape(pairs.stop - pairs.start, -1, *[1] * (moves.dim() - 1))
            points = torch.addcmul(starts[pairs].unsqueeze(1), a, moves[pairs].unsqueeze(1)).flatten(0, 1)
            # Not a view: networks in channels_last give gradients in channels_last.
            gradient = self.gradients(points, row_of_pair[pairs]).reshape(*a.shape[:2], -1)
            total[pairs] += torch.matmul(self.coefficients[steps], gradient).view_as(total[pairs])
        return total

    def gradients(self, points: Tensor, row_of_pair: Tensor) -> Tensor:
        """Gradients of the explained scalar at points behind the stem, pair by pair, (pairs * steps, *hidden)."""
        if self.closed_form is not None:
            return self.closed_form(points)
        count = len(points)
        if self.never_alone and len(points) == 1:
            points = points.repeat_interleave(2, dim=0)
        points.requires_grad_()
        rows = row_of_pair.repeat_interleave(len(points) // len(row_of_pair))
        output = self.after_stem(points, rows)
        if self.has_batch_norms:
            self.has_batch_norms, self.never_alone = mend_batch_norms(output)
            if self.never_alone and len(points) == 1:
                return self.gradients(points.detach(), row_of_pair)
        found = torch.autograd.grad(output.sum(), points, allow_unused=True) if output.requires_grad else (None,)
        return check_graph(output, *found)[:count]

    def _baselines_behind_stem(self, rows: slice, columns: slice) -> Tensor:
        if self.shared_behind_stem is not None:
            return self.shared_behind_stem[columns].expand(size(rows), *[-1] * self.inputs_behind_stem.dim())
        chosen = self.baselines[rows, columns]
        with torch.no_grad():
            behind_stem = self._behind_stem(chosen.flatten(0, 1))
        return behind_stem.reshape(*chosen.shape[:2], *behind_stem.shape[1:])

    def _transpose_of_stem(self, gradient: Tensor, like: Tensor) -> Tensor:
        if self.stem is _identity:
            return gradient
        # The stem is affine: its vector-Jacobian product is the same at every point.
        anywhere = torch.zeros_like(like).flatten(0, 1).requires_grad_()
        # Not by grad_outputs, with which torch imports a computer algebra system first.
        (transposed,) = torch.autograd.grad((self._behind_stem(anywhere) * gradient.flatten(0, 1)).sum(), anywhere)
        return transposed.view_as(like)

    @torch.no_grad()
    def values(self, max_batch: int) -> tuple[Float[Tensor, " n"], Float[Tensor, "n k"], Float[Tensor, " _"]]:
        """Evaluate f at the inputs and at the baselines, in chunks, and at the first baseline again beside inputs."""
        n, k = self.baselines.shape[:2]
        every = torch.arange(n, device=self.inputs.device)
        at_inputs, one_more = [], int(max_batch > 1)
        for part in cut(slice(0, n + one_more), max_batch):
            z, rows = self.inputs_behind_stem[part], every[part]
            if part.stop > n:
                z, rows = torch.cat([z, self._first_baseline]), torch.cat([rows, every[:1]])
            at_inputs.append(self.after_stem(z, rows))
        at_baselines = self.inputs.new_empty(n, k)
        if self.shared_behind_stem is not None:
            outputs = torch.cat([self._output(z) for z in self.shared_behind_stem.split(max_batch)])
            at_baselines[:] = outputs if self.target is None else outputs[:, self.target].T
        else:
            for some, columns in split((slice(0, n), slice(0, k)), 1, max_batch):
                z = self._baselines_behind_stem(some, columns)
                row_of_pair = every[some].repeat_interleave(z.shape[1])
                at_baselines[some, columns] = self.after_stem(z.flatten(0, 1), row_of_pair).view(z.shape[:2])
        f_inputs, beside = torch.cat(at_inputs).split([n, one_more])
        return f_inputs, at_baselines, beside

    @property
    def _first_baseline(self) -> Tensor:
        return self._baselines_behind_stem(slice(0, 1), slice(0, 1)).flatten(0, 1)

    def first_input(self) -> Tensor:
        """Evaluate f at the first input, several times in one batch."""
        return self.after_stem(self.inputs_behind_stem[:1].repeat_interleave(POINTS, dim=0))

    @torch.no_grad()
    def check_apart(self, tolerance: Float[Tensor, ""]) -> None:
        """Refuse f where a point's value follows the point beside it; rounding follows the number of points alone."""
        b, x = self._first_baseline, self.inputs_behind_stem[:1]
        beside_itself, beside, again = (self.after_stem(torch.cat([one, b]))[1] for one in (b, x, x))
        # Random numbers of f's own generators are its own business.
        if beside == again and (beside_itself - beside).abs() > tolerance:
            raise ValueError(
                "f mixes the points that go through together, such as by a softmax, a mean or statistics of the batch "
                "over dimension 0: each value has to be a matter of its own point"
            )


def _identity(x: Tensor) -> Tensor:
    return x
