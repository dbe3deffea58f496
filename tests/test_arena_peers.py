"""Peak and arena beside those of onnxsim's planner (0.8), under its definitions, in one run.

Its definitions, from onnxsim/memory_planning.cpp and model_metrics.cpp: network inputs are there from the start to
their last reader, results from their node to their last reader, outputs and what nobody reads to the end; a tensor
without dimensions takes nothing. In the peak every tensor has a storage of its own. In the plan a result lies over an
operand of as many bytes that only its node reads, for views, for some unary and (the first operand that fits) for some
binary operators, unless that operand enters the network or leaves it. There is no alignment.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from harness import registry

from graphcost.importer import load, parse_sizes
from graphcost.ir import Graph, Node
from graphcost.memory import Storages, liveness, plan_arena, storages
from graphcost.memory.storage import occupancy
from graphcost.operators import Alias, ListAliases, Operators, Relation
from graphcost.types import TensorType

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxsim", reason="needs onnxsim, the peer")

NETWORKS = (
    "resnet50.ts17", "torchvision/mobilenet_v2_224", "torchvision/densenet121_224", "torchvision/googlenet_224",
    "torchvision/inception_v3_299", "torchvision/squeezenet1_1_224", "torchvision/vgg16_224",
    "torchvision/regnet_y_400mf_224", "torchvision/mnasnet0_5_224", "efficientnet_b0.ts17",
    "jetson/yolov8n_640.dynamo", "vit_base_patch16_224.dynamo", "swin_tiny_patch4_window7_224.dynamo",
    "convnext_tiny.dynamo", "bert_mini4.dynamo", "gpt2_mini4.dynamo", "llama_mini4.dynamo",
)  # fmt: skip

LOWER = ("convnext_tiny.dynamo", "torchvision/mnasnet0_5_224")
"""Where the peer's plan is not the smallest."""


# The peer's definitions


def may_overwrite(node: Node, slot: int) -> bool:
    operand, result = node.operand(slot), node.results[0]
    if operand is None or operand.producer is None or operand.use_count != 1:  # an output has the exit as a reader too
        return False
    have_dims = all(isinstance(v.type, TensorType) and v.type.dims for v in (operand, result))
    return have_dims and operand.type.size_bytes == result.type.size_bytes


def unary(node: Node) -> tuple[Alias, ...]:
    return (Alias(0, 0, Relation.IN_PLACE),) if len(node.results) == 1 and may_overwrite(node, 0) else ()


def binary(node: Node) -> tuple[Alias, ...]:
    if (len(node.operands), len(node.results)) != (2, 1):
        return ()
    slot = next((slot for slot in (0, 1) if may_overwrite(node, slot)), None)
    return () if slot is None else (Alias(0, slot, Relation.IN_PLACE),)


UNARY = (
    "Relu Sigmoid Tanh LeakyRelu Elu Selu Softplus Softsign HardSigmoid Clip Neg Abs Sqrt Exp Log Reciprocal Identity "
    "Erf Celu Round Ceil Floor Sign Reshape Flatten Squeeze Unsqueeze"
)
BINARY = "Add Sub Mul Div Max Min And Or Xor Mod"
IN_PLACE: Mapping[str, ListAliases] = {
    **{f"onnx.{op}": unary for op in UNARY.split()},
    **{f"onnx.{op}": binary for op in BINARY.split()},
}


def plan_of(graph: Graph, aliases: Mapping[str, ListAliases]) -> Storages:
    """The storages of a graph as the peer counts them."""
    plan = storages(graph, Operators(aliases=aliases))
    pieces = []
    for piece in plan.pieces:
        if piece.kind != "weight" and all(isinstance(v.type, TensorType) and v.type.dims == () for v in piece.values):
            continue
        is_read = any(value.use_count for value in piece.values)
        pieces.append(piece if is_read else replace(piece, last=len(plan.nodes) - 1))
    return Storages(plan.nodes, tuple(pieces), plan.storage_of, {})


def with_initializers(path: Path) -> onnx.ModelProto:
    """The model with its Constant nodes as initializers, as graphcost imports them: the peer takes the former for
    activations."""
    model = onnx.load(path, load_external_data=False)
    constants = [n for n in model.graph.node if n.op_type == "Constant" and n.attribute[0].name == "value"]
    for node in constants:
        model.graph.initializer.append(node.attribute[0].t)
        model.graph.initializer[-1].name = node.output[0]
        model.graph.node.remove(node)
    return model


def weight_bytes(model: onnx.ModelProto) -> int:
    """What the peer adds to the peak: every initializer with dimensions."""
    sized = [i for i in model.graph.initializer if i.dims]
    return sum(math.prod(i.dims) * onnx.helper.tensor_dtype_to_np_dtype(i.data_type).itemsize for i in sized)


def peer_peak(model: onnx.ModelProto) -> int:
    """Of the graph as it is; `ModelInfo` itself expands functions such as Clip first."""
    from onnxsim import model_info

    if not hasattr(model_info, "_cpp_metrics"):
        pytest.skip("this onnxsim does not tell the peak of the graph as it is")
    return model_info._cpp_metrics(model)[4] - weight_bytes(model)


# Side by side


@pytest.mark.parametrize("name", NETWORKS)
def test_the_peak_is_the_same_and_the_plan_no_larger(name: str, shared: Path) -> None:
    from onnxsim.memory_planning import plan_activation_memory

    path = shared / "models" / f"{name}.onnx"
    model, graph = with_initializers(path), load(path, registry().operators).graph
    alone = plan_of(graph, {})
    assert max(occupancy(alone.activations, len(alone.nodes))) == peer_peak(model)

    peer = plan_activation_memory(model)
    assert not peer.unplanned
    ours = plan_arena(plan_of(graph, IN_PLACE), alignment_bytes=1)
    assert ours.is_smallest
    assert ours.size_bytes <= peer.arena_bytes
    assert (ours.size_bytes < peer.arena_bytes) == (name in LOWER)


@pytest.mark.parametrize("name", ["bert_mini4", "llama_mini4", "vit_base_patch16_224"])
@pytest.mark.parametrize("is_told", [False, True])
def test_a_dynamic_network_is_planned_where_the_peer_knows_no_sizes(name: str, is_told: bool, shared: Path) -> None:
    """Even when it is told the sizes of the inputs, it loses them where shapes are computed."""
    from onnxsim.memory_planning import plan_activation_memory

    sizes = {"batch": 1, "seq": 128}
    path = shared / "models" / f"{name}.dynbatch.onnx"
    model = onnx.load(path)
    if is_told:
        del model.graph.value_info[:]
        for dim in (dim for value in model.graph.input for dim in value.type.tensor_type.shape.dim if dim.dim_param):
            dim.dim_value = sizes[dim.dim_param]
    peer = plan_activation_memory(model)
    assert len(peer.unplanned) > 0.5 * len(model.graph.node)

    names = {dim.dim_param for v in onnx.load(path).graph.input for dim in v.type.tensor_type.shape.dim}
    operators = registry().operators
    graph = load(path, operators, parse_sizes((), {k: v for k, v in sizes.items() if k in names}, None)).graph
    static = load(shared / "models" / f"{name}.dynamo.onnx", operators).graph
    found, expected = liveness(graph, operators), liveness(static, operators)
    assert not found.is_lower_bound
    assert found.peak_activation_bytes == pytest.approx(expected.peak_activation_bytes, rel=0.001)
    assert plan_arena(found.storages).is_smallest
