"""Batches of an epoch, changed at random."""
