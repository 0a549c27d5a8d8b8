"""The grid of (input, baseline, step) points of a call of the engine, and what is integrated over any block of it."""

import torch
from jaxtyping import Float
from torch import Tensor

from igbaselines.attribution.engine.adaptive import Adaptive, integrate_adaptively
from igbaselines.attribution.engine.batch_norm import mend_batch_norms
from igbaselines.attribution.engine.blocks import chunks, cut, size, split
from igbaselines.attribution.engine.hooks import FollowsOutput, GradientTimesMove, Integrand, Path, Straight, Walk
from igbaselines.attribution.engine.quadrature import QuadratureRule
from igbaselines.attribution.engine.randomness import POINTS
from igbaselines.attribution.engine.result import AffineStem, ClosedFormGradient
from igbaselines.attribution.engine.validation import Arguments, check_graph
from igbaselines.common.devices import sent
from igbaselines.tasks import Function
from igbaselines.tasks.outputs import check_output

CHUNKS_OF_BLOCK = 16


class Paths:
    """The grid of (input, baseline, step) points, and the integral over any block of it."""

    def __init__(
        self,
        f: Function,
        given: Arguments,
        rule: QuadratureRule,
        generator: torch.Generator | None,
        path: Path | Walk | None = None,
        integrand: Integrand | None = None,
    ) -> None:
        inputs, baselines, target = given.inputs, given.baselines, given.target
        self.inputs, self.baselines = inputs, baselines
        self.walk = path if isinstance(path, Walk) else None
        self.plain = path is None and integrand is None
        self.path: Path = path if isinstance(path, Path) else Straight()
        self.integrand: Integrand = integrand or GradientTimesMove()
        self.f_inputs = inputs.new_empty(0)  # known once `values` is through
        self.target = target
        self.largest_target = given.largest_target
        self.stem: Function = f.affine_stem if self.plain and isinstance(f, AffineStem) else _identity
        self.network: Function = f.after_stem if self.plain and isinstance(f, AffineStem) else f
        closed = self.plain and target is None
        self.closed_form = f.gradient_after_stem if closed and isinstance(f, ClosedFormGradient) else None
        n, k = baselines.shape[:2]
        nodes, coefficients = rule.nodes_and_weights((n, k), generator)
        self.nodes = sent(nodes.to(inputs.dtype), inputs.device).expand(n, k, -1)
        self.coefficients = sent(coefficients.to(inputs.dtype), inputs.device)
        self.steps = coefficients.shape[-1]
        self.has_batch_norms = inputs.device.type == "cpu"  # as far as is known: torch may get their gradients wrong
        self.never_alone = False  # whether a single point has to go through the network with a copy of itself
        self.adaptive = rule if isinstance(rule, Adaptive) else None
        # Many pairs come together: those of an adaptive rule that go on fill the chunks, and what is done once for
        # each block, such as the transpose of the stem, costs little beside its chunks.
        self.steps_of_block = 1 if self.adaptive or self.walk else -(-self.steps // CHUNKS_OF_BLOCK)
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
        if not self.plain:
            return self._by_hooks(rows, columns, max_batch), self.steps
        start = self._baselines_behind_stem(rows, columns)
        starts, moves = start.flatten(0, 1), (self.inputs_behind_stem[rows].unsqueeze(1) - start).flatten(0, 1)
        row_of_pair = torch.arange(rows.start, rows.stop, device=start.device).repeat_interleave(start.shape[1])
        if self.adaptive is None:
            nodes = self.nodes[rows, columns].flatten(0, 1)
            coefficients = self.coefficients
            if coefficients.dim() > 1:
                coefficients = coefficients[rows, columns].flatten(0, 1)
            total = self._by_fixed_rule(nodes, coefficients, starts, moves, row_of_pair, max_batch)
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

    def _by_hooks(self, rows: slice, columns: slice, max_batch: int) -> Tensor:
        """What the integrand makes of a block of pairs along the path, (rows, columns, *features)."""
        starts = self.baselines[rows, columns]
        ends, shape = self.inputs[rows].unsqueeze(1).expand_as(starts).flatten(0, 1), starts.shape
        starts = starts.flatten(0, 1)
        row_of_pair = torch.arange(rows.start, rows.stop, device=starts.device).repeat_interleave(shape[1])
        if self.walk is not None:
            return self.walk.walk(self.gradients, ends, starts, row_of_pair, self.steps).view(shape)
        nodes = self.nodes[rows, columns].flatten(0, 1)
        coefficients = self.coefficients.expand(*self.nodes.shape)[rows, columns].flatten(0, 1)
        total = torch.zeros_like(ends)
        for pairs, steps in chunks(len(ends), slice(0, self.steps), max_batch):
            points, moves = self.path.points_and_moves(ends[pairs], starts[pairs], nodes[pairs, steps])
            values, gradients = self._differentiated(points.flatten(0, 1), row_of_pair[pairs])
            gradients, asked = gradients.reshape(points.shape), None
            if self.integrand.needs_values:
                behind = self.f_inputs[row_of_pair[pairs]]
                if steps.stop < self.steps:
                    next_node = nodes[pairs, steps.stop : steps.stop + 1]
                    point, _ = self.path.points_and_moves(ends[pairs], starts[pairs], next_node)
                    with torch.no_grad():
                        behind = self.after_stem(point.flatten(0, 1), row_of_pair[pairs])
                asked = torch.cat([values.view(points.shape[:2]), behind[:, None]], dim=1)
            total[pairs] += self.integrand.integrate(gradients, moves, coefficients[pairs, steps], asked)
        return total.view(shape)

    @torch.no_grad()
    def follow(self, rule: FollowsOutput, ends: tuple[Tensor, Tensor, Tensor], max_batch: int) -> int:
        """Place nodes and coefficients of each pair by f along its path; returns how often f was asked for each."""
        n, k = self.baselines.shape[:2]
        probes = rule.probes().to(self.inputs)
        found = self.inputs.new_empty(n, k, len(probes))
        for rows, columns in split((slice(0, n), slice(0, k)), 1, max_batch):
            start = self._baselines_behind_stem(rows, columns)
            end = self.inputs_behind_stem[rows].unsqueeze(1).expand_as(start)
            row_of_pair = torch.arange(rows.start, rows.stop, device=start.device).repeat_interleave(start.shape[1])
            starts, some = start.flatten(0, 1), found.new_empty(len(row_of_pair), len(probes))
            for pairs, steps in chunks(len(starts), slice(0, len(probes)), max_batch):
                nodes = probes[steps].expand(pairs.stop - pairs.start, -1)
                points, _ = self.path.points_and_moves(end.flatten(0, 1)[pairs], starts[pairs], nodes)
                each = row_of_pair[pairs].repeat_interleave(nodes.shape[1])
                some[pairs, steps] = self.after_stem(points.flatten(0, 1), each).view(nodes.shape)
            found[rows, columns] = some.view(*start.shape[:2], -1)
        nodes, coefficients = rule.follow(found.double(), (ends[1].double(), ends[0][:, None].expand(n, k).double()))
        self.nodes, self.coefficients = nodes.to(self.inputs), coefficients.to(self.inputs)
        return len(probes)

    def _by_fixed_rule(
        self, nodes: Tensor, coefficients: Tensor, starts: Tensor, moves: Tensor, row_of_pair: Tensor, max_batch: int
    ) -> Tensor:
        """Integrate the gradient behind the stem with the same number of nodes for every pair, (pairs, *hidden)."""
        total = torch.zeros_like(moves)
        for pairs, steps in chunks(len(moves), slice(0, self.steps), max_batch):
            a = nodes[pairs, steps].reshape(pairs.stop - pairs.start, -1, *[1] * (moves.dim() - 1))
            points = torch.addcmul(starts[pairs].unsqueeze(1), a, moves[pairs].unsqueeze(1)).flatten(0, 1)
            # Not a view: networks in channels_last give gradients in channels_last.
            gradient = self.gradients(points, row_of_pair[pairs]).reshape(*a.shape[:2], -1)
            if coefficients.dim() == 1:
                total[pairs] += torch.matmul(coefficients[steps], gradient).view_as(total[pairs])
            else:
                total[pairs] += (coefficients[pairs, None, steps] @ gradient).view_as(total[pairs])
        return total

    def gradients(self, points: Tensor, row_of_pair: Tensor) -> Tensor:
        """Gradients of the explained scalar at points behind the stem, pair by pair, (pairs * steps, *hidden)."""
        if self.closed_form is not None:
            return self.closed_form(points)
        return self._differentiated(points, row_of_pair)[1]

    def _differentiated(self, points: Tensor, row_of_pair: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluate the explained scalar and its gradients by autograd, at points as `gradients` takes them."""
        count = len(points)
        if self.never_alone and len(points) == 1:
            points = points.repeat_interleave(2, dim=0)
        points.requires_grad_()
        rows = row_of_pair.repeat_interleave(len(points) // len(row_of_pair))
        output = self.after_stem(points, rows)
        if self.has_batch_norms:
            self.has_batch_norms, self.never_alone = mend_batch_norms(output)
            if self.never_alone and len(points) == 1:
                return self._differentiated(points.detach(), row_of_pair)
        found = torch.autograd.grad(output.sum(), points, allow_unused=True) if output.requires_grad else (None,)
        return output.detach()[:count], check_graph(output, *found)[:count]

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
        self.f_inputs = f_inputs
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
