"""The cost models that graphcost brings, offered through the same door as a user's."""

from __future__ import annotations

from graphcost.plugin import Plugin, lazily

PLUGIN = Plugin(
    cost_models={
        "blackthorn": lazily("graphcost.cost_models.blackthorn.model", "BLACKTHORN"),
        "eager": lazily("graphcost.cost_models.eager", "EAGER"),
        "eager-prior": lazily("graphcost.cost_models.eager", "EAGER_PRIOR"),
        "operators": lazily("graphcost.cost_models.operators.model", "OPERATORS"),
        "roofline": lazily("graphcost.cost_models.roofline", "ROOFLINE"),
        "perf4sight": lazily("graphcost.cost_models.perf4sight", "PERF4SIGHT"),
        "steps": lazily("graphcost.cost_models.steps", "STEPS"),
    }
)
