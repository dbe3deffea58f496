"""perf4sight's way, as a baseline and an option: sums over convolutions, and extremely randomised trees on them.

Rajagopal and Bouganis 2021, arXiv 2108.05580. It knows whole training steps of networks like those it was trained on.

    features   what is summed over the convolutions of a network
    forest     trees as arrays, and a walk through them
    model      the cost model, `--cost-model perf4sight`
    fitting    trees from measured steps (needs scikit-learn)
"""

from .model import PERF4SIGHT

__all__ = ["PERF4SIGHT"]
