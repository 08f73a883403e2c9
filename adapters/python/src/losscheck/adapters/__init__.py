"""Adapters of libraries that many people use. `python -m losscheck.adapters.torch` is one of them."""
