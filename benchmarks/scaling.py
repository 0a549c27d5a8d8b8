"""How time and memory grow with inputs, baselines, steps, the size of images, and threads."""

from functools import cache, partial

from benchmarks import hep, images
from benchmarks.peers import by_captum
from benchmarks.turns import Candidate, Job, Timing, time_in_turns

HEP = {"inputs": (100, 300, 1000), "baselines": (1, 5, 20), "steps": (10, 50, 100)}
USUAL = {"inputs": 300, "baselines": 5, "steps": 50}
SIDES = (96, 160, 224, 320)
OURS, CAPTUM = "igbaselines", "Captum, default"
Row = dict[str, object]


def measure(quick: bool, rounds: int, seconds_a_turn: float, threads: int) -> list[Row]:
    """One row for each point: along, at, candidate, seconds, MiB."""

    @cache  # all lines of the HEP network meet where everything is as usual
    def hep_network(inputs: int, baselines: int, steps: int, threads: int) -> list[Timing]:
        return time_in_turns(_hep_job(inputs, baselines, steps), rounds, seconds_a_turn, threads)

    rows = []
    for along, places in HEP.items():
        for at in places[:2] if quick else places:
            rows += _rows(along, at, hep_network(**USUAL | {along: at}, threads=threads))
    for count in sorted({1 << power for power in range(threads.bit_length())} | {threads}):
        rows += _rows("threads", count, hep_network(**USUAL, threads=count))
    for side in SIDES[:2] if quick else SIDES:
        job = _mobilenet_job(2 if quick else 16, side)
        rows += _rows("image side [px]", side, time_in_turns(job, rounds, seconds_a_turn, threads))
    return rows


def _hep_job(inputs: int, baselines: int, steps: int) -> Job:
    events = partial(hep.Events.make, inputs, baselines, steps)
    candidates = [
        Candidate(OURS, partial(hep.ours, events)),
        Candidate(CAPTUM, partial(hep.by_peer, by_captum, events)),
    ]
    return Job("hep", "", "baselines", baselines, candidates)


def _mobilenet_job(steps: int, side: int) -> Job:
    pictures = partial(images.Pictures.make, "mobilenet_v2", 1, steps, side)
    candidates = [
        Candidate(OURS, partial(images.ours, pictures)),
        Candidate(CAPTUM, partial(images.by_captum_at_best, pictures, (None,))),
    ]
    return Job("mobilenet_v2", "", "baselines", images.BASELINES, candidates)


def _rows(along: str, at: int, timings: list[Timing]) -> list[Row]:
    return [
        {"along": along, "at": at, "candidate": t.candidate, "seconds": t.median, "peak_mib": t.memory}
        for t in timings
        if not t.failed
    ]
