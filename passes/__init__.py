"""The built-in passes: a plug-in like any other."""

from __future__ import annotations

from graphcost.plugin import Plugin, lazily

PLUGIN = Plugin(
    passes={
        "advance-quantizers": lazily("graphcost.passes.advance_quantizers", "AdvanceQuantizers"),
        "assign-formats": lazily("graphcost.passes.assign_formats", "AssignFormats"),
        "assign-precision": lazily("graphcost.passes.assign_precision", "AssignPrecision"),
        "build-backward": lazily("graphcost.passes.training.build_backward", "BuildBackward"),
        "canonicalize-arithmetic": lazily("graphcost.passes.canonicalize_arithmetic", "CanonicalizeArithmetic"),
        "canonicalize-contraction": lazily("graphcost.passes.canonicalize_contraction", "CanonicalizeContraction"),
        "canonicalize-layout": lazily("graphcost.passes.canonicalize_layout", "CanonicalizeLayout"),
        "canonicalize-slices": lazily("graphcost.passes.canonicalize_slices", "CanonicalizeSlices"),
        "copy-quantizers": lazily("graphcost.passes.copy_quantizers", "CopyQuantizers"),
        "dce": lazily("graphcost.passes.dce", "RemoveDeadCode"),
        "delay-dequantizers": lazily("graphcost.passes.delay_dequantizers", "DelayDequantizers"),
        "eager-views": lazily("graphcost.passes.training.eager_views", "EagerViews"),
        "eliminate-noops": lazily("graphcost.passes.eliminate_noops", "EliminateNoops"),
        "fold-batch-norm": lazily("graphcost.passes.fold_batch_norm", "FoldBatchNorm"),
        "fold-shapes": lazily("graphcost.passes.fold_shapes", "FoldShapes"),
        "fuse-attention": lazily("graphcost.passes.fuse_attention", "FuseAttention"),
        "framework-operators": lazily("graphcost.passes.training.framework_operators", "FrameworkOperators"),
        "fuse-convolution": lazily("graphcost.passes.fuse_convolution", "FuseConvolution"),
        "fuse-epilogue": lazily("graphcost.passes.fuse_epilogue", "FuseEpilogue"),
        "fuse-pointwise": lazily("graphcost.passes.fuse_pointwise", "FusePointwise"),
        "fuse-quantizers": lazily("graphcost.passes.fuse_quantizers", "FuseQuantizers"),
        "fuse-stem": lazily("graphcost.passes.fuse_stem", "FuseStem"),
        "insert-reformats": lazily("graphcost.passes.insert_reformats", "InsertReformats"),
        "merge-concats": lazily("graphcost.passes.merge_concats", "MergeConcats"),
        "merge-duplicates": lazily("graphcost.passes.merge_duplicates", "MergeDuplicates"),
        "merge-quantizers": lazily("graphcost.passes.merge_quantizers", "MergeQuantizers"),
        "merge-siblings": lazily("graphcost.passes.merge_siblings", "MergeSiblings"),
        "myelin": lazily("graphcost.passes.myelin", "Myelin"),
        "name-layers": lazily("graphcost.passes.name_layers", "NameLayers"),
        "outline-groups": lazily("graphcost.passes.outline_groups", "OutlineGroups"),
        "quantize-weights": lazily("graphcost.passes.quantize_weights", "QuantizeWeights"),
        "reduce-to-pooling": lazily("graphcost.passes.reduce_to_pooling", "ReduceToPooling"),
        "reorder": lazily("graphcost.passes.reorder", "Reorder"),
        "retarget-concats": lazily("graphcost.passes.retarget_concats", "RetargetConcats"),
        "retarget-slices": lazily("graphcost.passes.retarget_slices", "RetargetSlices"),
        "separate-parameters": lazily("graphcost.passes.training.separate_parameters", "SeparateParameters"),
        "training-form": lazily("graphcost.passes.training.training_form", "TrainingForm"),
    },
    operators=lazily("graphcost.passes.training.operators", "OPERATORS"),
)
