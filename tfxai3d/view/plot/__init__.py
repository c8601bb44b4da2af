"""Curves, bars and matrices."""
