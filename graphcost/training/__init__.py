"""Training: what one step holds in memory over time, and what it takes.

options     what a step is made with: optimizer, loss, AMP, checkpoints, frozen parts
categories  storages of the joint graph → parameters, gradients, optimizer state, saved activations, …
step        the joint graph → the figures of a step: peak, moment, holders, timeline by category
"""

from .options import OPTIMIZERS, TrainingOptions, configure

__all__ = ["OPTIMIZERS", "TrainingOptions", "configure"]
