"""From a configuration to a finished run folder: configuration, runner, rows, folders, states, provenance."""

from igbaselines.common.extras import require

require("runs")
