"""Metrics of attributions, a file a family; each says its name, label, unit and direction."""
