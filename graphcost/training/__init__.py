"""Training: what one step holds in memory over time, and what it takes.

options     what a step is made with: optimizer, loss, AMP, checkpoints, frozen parts
categories  storages of the joint graph → parameters, gradients, optimizer state, saved activations, …
step        the joint graph → the figures of a step: peak, moment, holders, timeline by category
allocation  storages → requests to the caching allocator
batches     two analyses → memory at any batch
system      what is reserved → what the system sees, and whether it fits
plan        the largest batch that fits, for several ways to train
"""

from .options import OPTIMIZERS, TrainingOptions, configure

__all__ = ["OPTIMIZERS", "TrainingOptions", "configure"]
