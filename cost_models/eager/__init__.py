"""The time of an eager framework's training step: a physical additive model, fitted to measured steps.

features   what a kernel does, in units of which each has a price
model      the cost model: prices from `<device>.toml`
fitting    prices from measured steps: `python -m graphcost.cost_models.eager.fitting ROWS.csv MODELS_DIR`
"""

from .model import EAGER

__all__ = ["EAGER"]
