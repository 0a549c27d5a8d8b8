"""Tables and figures of the studies of rankings."""
