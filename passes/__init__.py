"""The built-in passes: a plug-in like any other."""

from __future__ import annotations

from graphcost.plugin import Plugin, lazily

PLUGIN = Plugin(
    passes={
        "assign-precision": lazily("graphcost.passes.assign_precision", "AssignPrecision"),
        "dce": lazily("graphcost.passes.dce", "RemoveDeadCode"),
        "eliminate-noops": lazily("graphcost.passes.eliminate_noops", "EliminateNoops"),
        "fold-batch-norm": lazily("graphcost.passes.fold_batch_norm", "FoldBatchNorm"),
        "fold-shapes": lazily("graphcost.passes.fold_shapes", "FoldShapes"),
    }
)
