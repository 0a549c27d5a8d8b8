"""Metrics and statistics, one module a family."""
