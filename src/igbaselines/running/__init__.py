"""From a configuration to a finished run folder: configuration, runner, rows, folders, states, provenance."""
