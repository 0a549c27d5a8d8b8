"""Reporting: from a run's rows to tables, figures and verdicts, from all runs to one HTML page."""

from igbaselines.reporting.html import write_report
from igbaselines.reporting.render import render_run

__all__ = ["render_run", "write_report"]
