"""Writes the goldens: what PyTorch answers for every case of every loss."""
