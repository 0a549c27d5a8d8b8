"""Reporting: from a run's rows to tables, figures and verdicts, from all runs to one HTML page."""

from igbaselines.common.extras import require

require("runs")
