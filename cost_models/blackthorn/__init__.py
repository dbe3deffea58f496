"""Blackthorn (Lechner and Jantsch 2021): latency of a layer as nested step functions of its channels.

One curve for each type of layer, learned from few points that the ensemble of candidate steps chooses itself
(`choice.learn`). It stands beside our own models for comparison: `--cost-models blackthorn` where a device has
coefficients. It knows no fusion, no depthwise convolution and no size that was not measured.
"""
