"""Labelled sets of objects."""
