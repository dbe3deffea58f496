"""The time of an eager framework's training step: a physical additive model, fitted to measured steps; and a prior.

features   what a kernel does, in units of which each has a price
model      the cost model: prices from `<device>.toml`
fitting    prices from measured steps: `python -m graphcost.cost_models.eager.fitting ROWS.csv MODELS_DIR`
judging    how far off it is where it was not fitted
prior      the cost model for devices and types without measured steps
"""

from .model import EAGER
from .prior import EAGER_PRIOR

__all__ = ["EAGER", "EAGER_PRIOR"]
