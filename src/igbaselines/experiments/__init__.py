"""Experiments: data, model, methods and metrics become rows."""
