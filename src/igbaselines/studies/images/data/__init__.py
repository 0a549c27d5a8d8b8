"""Photographs and the outlines of their objects."""
