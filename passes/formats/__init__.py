"""Formats of activations: what kernels can read and write, the choice that needs the cheapest reformats, and these."""
