"""The cost models that graphcost brings, offered through the same door as a user's."""

from __future__ import annotations

from graphcost.plugin import Plugin, lazily

PLUGIN = Plugin(
    cost_models={
        "eager": lazily("graphcost.cost_models.eager", "EAGER"),
        "roofline": lazily("graphcost.cost_models.roofline", "ROOFLINE"),
        "steps": lazily("graphcost.cost_models.steps", "STEPS"),
    }
)
