"""What would decide an inconclusive claim: how many units, by its own variance, and the command that runs them."""

import math
import re
import shlex
from collections import Counter
from collections.abc import Mapping

from scipy import stats

from igbaselines.reporting.claims import Claim, Record
from igbaselines.reporting.page.by_seed import FLIPS
from igbaselines.reporting.page.runs import ReportedRun
from igbaselines.reporting.statistics.estimates import CONFIDENCE
from igbaselines.reporting.statistics.nested import times_more
from igbaselines.reporting.statistics.verdicts import Region, Verdict
from igbaselines.running.study import experiments

IF = "80 % power, if value and spread stay"
HARDLY = 1.05  # times as many: what cannot be told from as many
HOPELESS = 1000  # times as many: the difference is as good as none
OVER_UNITS = re.compile(r"t-interval over \d+ |of \d+ units, expanded")  # of a record's test: n counts units
# Of units that are pooled, and of what is measured in them; the replicates of a bootstrap over units are expanded.
POOLED = re.compile(r"replicates of \d+ (\w+)\b(?!, expanded)")
CROSSED = re.compile(r"over \d+ (\w+) x \d+ (\w+), ([\d.]+) degrees of freedom")  # of units measured with each other


def what_decides(claims: Mapping[str, Claim], run: ReportedRun) -> dict[str, str]:
    """Say of each inconclusive claim of a run what would decide it, where its interval tells, and not other seeds.

    Args:
        claims: by id, those that there are today.
        run: a complete run.

    Returns:
        By the claim's id a sentence or two.
    """
    opened = [
        record
        for record in run.claims
        if record["verdict"] == Verdict.INCONCLUSIVE and record["id"] in claims and FLIPS not in record["note"]
    ]
    if not opened:
        return {}
    readings = Counter(_family(claims, record) for record in run.claims if record["p_value"] is not None)
    found = {}
    for record in opened:
        tests = readings[family] if (family := _family(claims, record)) else 1
        if factor := more_units(record, claims[record["id"]].claimed, max(tests, 1)):
            found[record["id"]] = _said(record, factor, run)
    return found


def more_units(record: Record, claimed: Region, tests: int) -> float | None:
    """How many times as many units would tell on which side of the nearest edge a value lies.

    With 80 % power at the level that Bonferroni leaves of so many readings, if the value stays where it is and its
    spread, too. None where the interval is neither over units nor over replicates of them, or has no width.
    """
    value, low, high = (record[key] for key in ("value", "ci_low", "ci_high"))
    told = any(kind.search(record["test"] or "") for kind in (OVER_UNITS, POOLED))
    if value is None or not high > low or record["n"] < 2 or not told:
        return None
    freedom = float(crossed[3]) if (crossed := CROSSED.search(record["test"])) else float(record["n"] - 1)
    error = (high - low) / 2 / float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom))
    distance = min(abs(value - edge) for edge in (claimed.lower, claimed.at_most) if math.isfinite(edge))
    return times_more(float(distance), error, freedom, float(tests))


def _family(claims: Mapping[str, Claim], record: Record) -> tuple[str, str] | None:
    """The sentence over whose readings a claim is corrected."""
    claim = claims.get(record["id"])
    return (claim.paper, claim.sentence[0]) if claim and claim.sentence else None


def _said(record: Record, factor: float, run: ReportedRun) -> str:
    if not factor < HOPELESS:
        return (
            f"More than {HOPELESS} times as many units would be needed to decide it: the difference is as good as none."
        )
    many = f"About {factor:.2g} times as many" if factor > HARDLY else "Hardly more"
    if pooled := POOLED.search(record["test"]):
        return f"{many} {pooled[1]}, and events in them, would decide it ({IF})."
    if crossed := CROSSED.search(record["test"]):
        return f"{many} {crossed[1]}, and as many times the {crossed[2]}, would decide it ({IF})."
    needed = math.ceil(record["n"] * factor)
    words = f"About {needed} units in the place of {record['n']} would decide it ({IF})"
    again = _command(run, factor, record["n"], needed)
    return f"{words}: {again}" if again else f"{words}."


def _command(run: ReportedRun, factor: float, n: int, needed: int) -> str:
    """The run's command with as many units as are needed of n; empty where nobody knows which key has them."""
    experiment = experiments().get(run.experiment)
    if not (experiment and experiment.units and run.origin.command):
        return ""
    now = _value(run.settings, experiment.units)
    if now is None:
        return f"the run took all there are, so give a larger data set with {experiment.units}={needed}."
    asked = {experiment.units: math.ceil(now * factor) if isinstance(now, int) and now > 0 else needed}
    if experiment.some_units and _value(run.settings, experiment.some_units) == n:
        asked = {experiment.some_units: needed}
        if isinstance(now, int) and now < needed:
            asked[experiment.units] = needed
    words = [word for word in shlex.split(run.origin.command) if word.partition("=")[0] not in asked]
    return shlex.join([*words, *(f"{key}={count}" for key, count in asked.items())])


def _value(settings: object, key: str) -> object:
    for part in key.split("."):
        settings = settings.get(part) if isinstance(settings, dict) else None
    return settings
