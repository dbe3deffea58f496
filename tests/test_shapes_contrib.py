"""Shape functions of com.microsoft and ai.onnx.ml, checked against what ONNX Runtime returns for one node."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy
import pytest

from graphcost.ir import Node, Value
from graphcost.shapes import attention as onnx_attention
from graphcost.shapes import (
    contraction,
    contrib,
    contrib_attention,
    convolution,
    generators,
    ml,
    normalization,
    pooling,
    quantization,
    recurrent,
    reduction,
    selection,
)
from graphcost.types import UNKNOWN, TensorType

_FAMILIES = (
    contraction, contrib, contrib_attention, convolution, generators, ml, normalization, onnx_attention, pooling,
    quantization, recurrent, reduction, selection,
)  # fmt: skip
SHAPES = {op: infer for family in _FAMILIES for op, infer in family.SHAPES.items()}
_DTYPES = {
    "f32": "float32", "f64": "float64", "f16": "float16", "i64": "int64", "i32": "int32", "i8": "int8", "u8": "uint8",
    "bool": "bool", "u32": "uint32", "str": "object",
}  # fmt: skip


class Sample(NamedTuple):
    """One node: operands as `f32[2,3]`, or as (element type, values) where the values matter; None when absent.
    `results` says how many are asked for; attributes are ONNX's."""

    op: str
    operands: list[Any]
    attrs: dict[str, Any]
    results: int = 1


ML, MS = "ai.onnx.ml", "com.microsoft"
_SCALE, _ZERO = ("f32", 0.5), ("u8", 3)
_TREE = {
    "nodes_treeids": [0, 0, 0], "nodes_nodeids": [0, 1, 2], "nodes_featureids": [0, 0, 0], "nodes_hitrates": [1.0] * 3,
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"], "nodes_values": [0.5, 0.0, 0.0], "nodes_truenodeids": [1, 0, 0],
    "nodes_falsenodeids": [2, 0, 0], "nodes_missing_value_tracks_true": [0, 0, 0],
}  # fmt: skip
_SVM = {
    "kernel_type": "LINEAR",
    "kernel_params": [1.0, 0.0, 3.0],
    "rho": [0.1, 0.2, 0.3],
    "support_vectors": [0.5] * 12,
}

SAMPLES = [
    Sample(f"{MS}.Attention", ["f32[2,5,8]", "f32[8,24]", "f32[24]"], {"num_heads": 2}),
    Sample(f"{MS}.Attention", ["f32[2,5,8]", "f32[8,28]", "f32[28]"], {"num_heads": 2, "qkv_hidden_sizes": [8, 8, 12]}),
    Sample(f"{MS}.Attention", ["f32[2,5,8]", "f32[8,24]", "f32[24]", None, "f32[2,2,2,3,4]"], {"num_heads": 2}, 2),
    Sample(
        f"{MS}.QAttention",
        ["u8[2,5,8]", "u8[8,24]", "f32[24]", _SCALE, _SCALE, None, _ZERO, _ZERO, "f32[2,2,2,3,4]"],
        {"num_heads": 2},
        2,
    ),
    Sample(f"{MS}.MultiHeadAttention", ["f32[2,5,8]", "f32[2,7,8]", "f32[2,7,12]"], {"num_heads": 2}),
    Sample(f"{MS}.MultiHeadAttention", ["f32[2,5,8]", "f32[2,2,7,4]", "f32[2,2,7,4]"], {"num_heads": 2}),
    Sample(
        f"{MS}.MultiHeadAttention",
        ["f32[2,5,8]", "f32[2,5,8]", "f32[2,5,8]", None, None, None, "f32[2,2,3,4]", "f32[2,2,3,4]"],
        {"num_heads": 2},
        3,
    ),
    Sample(
        f"{MS}.GroupQueryAttention",
        ["f32[2,5,32]", "f32[2,5,16]", "f32[2,5,16]", None, None, ("i32", [4, 4]), ("i32", [5])],
        {"num_heads": 4, "kv_num_heads": 2},
        3,
    ),
    Sample(
        f"{MS}.GroupQueryAttention",
        ["f32[2,1,64]", None, None, "f32[2,2,6,8]", "f32[2,2,6,8]", ("i32", [6, 6]), ("i32", [7])],
        {"num_heads": 4, "kv_num_heads": 2},
        3,
    ),
    Sample(
        f"{MS}.GroupQueryAttention",
        ["f32[2,1,64]", None, None, "f32[2,2,16,8]", "f32[2,2,16,8]", ("i32", [6, 6]), ("i32", [7])],
        {"num_heads": 4, "kv_num_heads": 2},
        3,
    ),
    Sample(f"{MS}.RotaryEmbedding", ["f32[2,5,8]", ("i64", [0]), "f32[9,2]", "f32[9,2]"], {"num_heads": 2}),
    Sample(f"{MS}.SkipLayerNormalization", ["f32[2,5,8]", "f32[2,5,8]", "f32[8]", "f32[8]", "f32[8]"], {}),
    Sample(f"{MS}.SkipSimplifiedLayerNormalization", ["f32[2,5,8]", "f32[2,5,8]", "f32[8]"], {}),
    Sample(
        f"{MS}.EmbedLayerNormalization",
        [("i32", [[1, 2]]), ("i32", [[0, 1]]), "f32[5,8]", "f32[6,8]", "f32[2,8]", "f32[8]", "f32[8]"],
        {},
        2,
    ),
    Sample("SimplifiedLayerNormalization", ["f32[2,5,8]", "f32[8]"], {}, 2),
    Sample(f"{MS}.BiasGelu", ["f32[2,8]", "f32[8]"], {}),
    Sample(f"{MS}.FastGelu", ["f32[2,8]", "f32[8]"], {}),
    Sample(f"{MS}.Gelu", ["f32[2,8]"], {}),
    Sample(f"{MS}.QuickGelu", ["f32[2,8]"], {}),
    Sample(
        f"{MS}.MatMulNBits", ["f32[2,3,64]", "u8[8,2,16]", "f32[16]"], {"K": 64, "N": 8, "bits": 4, "block_size": 32}
    ),
    Sample(f"{MS}.QLinearAdd", ["u8[2,1,3]", _SCALE, _ZERO, "u8[4,1]", _SCALE, _ZERO, _SCALE, _ZERO], {}),
    Sample(f"{MS}.QLinearMul", ["u8[2,1,3]", _SCALE, _ZERO, "u8[4,1]", _SCALE, _ZERO, _SCALE, _ZERO], {}),
    Sample(f"{MS}.QLinearWhere", ["bool[4,1]", "u8[3]", _SCALE, _ZERO, "u8[4,3]", _SCALE, _ZERO, _SCALE, _ZERO], {}),
    Sample(f"{MS}.QLinearLeakyRelu", ["u8[2,3]", _SCALE, _ZERO, _SCALE, _ZERO], {"alpha": 0.1}),
    Sample(f"{MS}.QLinearSigmoid", ["u8[2,3]", _SCALE, _ZERO, _SCALE, _ZERO], {}),
    Sample(f"{MS}.QLinearSoftmax", ["u8[2,3]", _SCALE, _ZERO, ("f32", 1 / 256), ("u8", 0)], {"opset": 13, "axis": -1}),
    Sample(f"{MS}.QLinearConcat", [_SCALE, _ZERO, "u8[2,3]", _SCALE, _ZERO, "u8[2,4]", _SCALE, _ZERO], {"axis": 1}),
    Sample(
        f"{MS}.QLinearAveragePool",
        ["u8[1,3,9,9]", _SCALE, _ZERO, _SCALE, _ZERO],
        {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1},
    ),
    Sample(
        f"{MS}.QLinearAveragePool",
        ["u8[1,9,9,3]", _SCALE, _ZERO, _SCALE, _ZERO],
        {"kernel_shape": [3, 3], "strides": [2, 2], "channels_last": 1},
    ),
    Sample(f"{MS}.QLinearGlobalAveragePool", ["u8[1,3,9,9]", _SCALE, _ZERO, _SCALE, _ZERO], {}),
    Sample(f"{MS}.QLinearGlobalAveragePool", ["u8[1,9,9,3]", _SCALE, _ZERO, _SCALE, _ZERO], {"channels_last": 1}),
    Sample(
        f"{MS}.QLinearConv",
        ["u8[1,8,8,4]", _SCALE, _ZERO, "u8[6,2,3,3]", _SCALE, _ZERO, _SCALE, _ZERO],
        {"channels_last": 1, "group": 2, "strides": [2, 2], "pads": [1, 1, 1, 1]},
    ),
    Sample(f"{MS}.NhwcMaxPool", ["u8[1,9,8,3]"], {"kernel_shape": [3, 3], "strides": [2, 2]}),
    Sample(
        f"{MS}.FusedConv",
        ["f32[1,4,8,8]", "f32[6,4,3,3]", "f32[6]"],
        {"activation": "Relu", "auto_pad": "SAME_UPPER", "strides": [3, 3]},
    ),
    Sample(
        f"{MS}.QGemm",
        ["u8[4,3]", _SCALE, _ZERO, "u8[5,3]", _SCALE, _ZERO, None, _SCALE, _ZERO],
        {"transB": 1},
    ),
    Sample(f"{MS}.QGemm", ["u8[3,4]", _SCALE, _ZERO, "u8[3,5]", _SCALE, _ZERO], {"transA": 1}),
    Sample(f"{MS}.DynamicQuantizeMatMul", ["f32[2,4,3]", "u8[3,5]", _SCALE, _ZERO], {}),
    Sample(f"{MS}.MatMulIntegerToFloat", ["u8[2,4,3]", "u8[3,5]", _SCALE, _SCALE, _ZERO, _ZERO], {}),
    Sample(
        f"{MS}.DynamicQuantizeLSTM",
        ["f32[7,2,4]", "u8[2,4,12]", "u8[2,3,12]", "f32[2,24]", None, None, None, None]
        + [("f32", [0.5, 0.5]), ("u8", [3, 3]), ("f32", [0.5, 0.5]), ("u8", [3, 3])],
        {"hidden_size": 3, "direction": "bidirectional"},
        3,
    ),
    Sample(f"{MS}.FusedMatMul", ["f32[2,3,4]", "f32[2,5,3]"], {"transA": 1, "transB": 1}),
    Sample(f"{MS}.FusedMatMul", ["f32[2,3,4]", "f32[3,4,5]"], {"transBatchA": 1}),
    Sample(f"{MS}.FusedMatMul", ["f32[2,3,4]", "f32[3,2,5]"], {"transA": 1, "transBatchA": 1}),
    Sample(f"{MS}.FusedGemm", ["f32[4,3]", "f32[5,3]", "f32[5]"], {"transB": 1, "activation": "Relu"}),
    Sample(f"{MS}.CDist", ["f32[4,3]", "f32[5,3]"], {"metric": "euclidean"}),
    Sample(f"{MS}.ExpandDims", ["f32[4,3]", ("i32", -1)], {}),
    Sample(f"{MS}.MurmurHash3", ["i32[4,3]"], {"positive": 0}),
    Sample(f"{MS}.MaxpoolWithMask", ["f32[1,3,9,9]", "i32[1,3,9,9]"], {"kernel_shape": [3, 3], "strides": [2, 2]}),
    Sample(f"{MS}.Inverse", ["f32[2,3,3]"], {}),
    Sample(
        f"{MS}.GatherBlockQuantized",
        ["u8[4,16]", ("i64", [[1, 2, 3]]), "f32[4,2]"],
        {"bits": 4, "block_size": 16, "quantize_axis": 1},
    ),
    Sample(f"{MS}.UnfoldTensor", ["f32[2,9]"], {"dim": 1, "size": 3, "step": 2}),
    Sample(f"{MS}.QuantizeLinear", ["f32[3,4]", _SCALE, _ZERO], {}),
    Sample(f"{MS}.DequantizeLinear", ["u8[3,4]", _SCALE, _ZERO], {}),
    Sample(f"{MS}.CropAndResize", ["f32[1,3,9,9]", "f32[4,4]", ("i32", [0] * 4), ("i32", [5, 6])], {}),
    Sample(f"{ML}.Scaler", ["i64[4,3]"], {"offset": [0.0], "scale": [1.0]}),
    Sample(f"{ML}.Normalizer", ["i64[4,3]"], {"norm": "L2"}),
    Sample(f"{ML}.Imputer", ["f32[4,3]"], {"imputed_value_floats": [0.0]}),
    Sample(f"{ML}.LinearRegressor", ["f32[4,3]"], {"coefficients": [0.5] * 6, "intercepts": [0.0] * 2, "targets": 2}),
    Sample(
        f"{ML}.LinearClassifier",
        ["f32[4,3]"],
        {"coefficients": [0.5] * 9, "intercepts": [0.0] * 3, "classlabels_ints": [0, 1, 2]},
        2,
    ),
    Sample(
        f"{ML}.LinearClassifier",
        ["f32[4,3]"],
        {"coefficients": [0.5] * 6, "intercepts": [0.0] * 2, "classlabels_strings": ["a", "b"]},
        2,
    ),
    Sample(f"{ML}.OneHotEncoder", ["i64[4,3]"], {"cats_int64s": [1, 2, 3, 4, 5]}),
    Sample(f"{ML}.FeatureVectorizer", ["f32[4,3]", "f32[4,2]"], {"inputdimensions": [3, 2]}),
    Sample(f"{ML}.ArrayFeatureExtractor", ["f32[4,3]", ("i64", [[0, 2]])], {}),
    Sample(f"{ML}.ArrayFeatureExtractor", ["f32[3]", ("i64", [0, 2])], {}),
    Sample(f"{ML}.CategoryMapper", ["i64[4,3]"], {"cats_int64s": [1, 2], "cats_strings": ["a", "b"]}),
    Sample(f"{ML}.LabelEncoder", ["i64[4,3]"], {"keys_int64s": [1, 2], "values_floats": [0.5, 1.5]}),
    Sample(
        f"{ML}.SVMClassifier",
        ["f32[4,3]"],
        _SVM | {"vectors_per_class": [2, 1, 1], "coefficients": [0.5] * 8, "classlabels_ints": [0, 1, 2]},
        2,
    ),
    Sample(
        f"{ML}.SVMRegressor",
        ["f32[4,3]"],
        _SVM | {"coefficients": [0.5] * 4, "n_supports": 4, "rho": [0.1]},
    ),
    Sample(
        f"{ML}.TreeEnsembleRegressor",
        ["f32[4,3]"],
        _TREE
        | {"target_treeids": [0, 0], "target_nodeids": [1, 2], "target_ids": [0, 1], "target_weights": [1.0, 2.0]}
        | {"n_targets": 2},
    ),
    Sample(
        f"{ML}.TreeEnsembleClassifier",
        ["f32[4,3]"],
        _TREE
        | {"class_treeids": [0, 0], "class_nodeids": [1, 2], "class_ids": [0, 1], "class_weights": [1.0, 2.0]}
        | {"classlabels_strings": ["a", "b", "c"]},
        2,
    ),
    Sample("GlobalLpPool", ["f32[2,3,4,5]"], {}),
    Sample("MaxRoiPool", ["f32[1,3,9,9]", ("f32", [[0.0, 0.0, 0.0, 4.0, 4.0]] * 4)], {"pooled_shape": [2, 3]}),
    Sample("Multinomial", ["f32[4,3]"], {"sample_size": 7}),
    Sample("RandomNormal", [], {"shape": [2, 3]}),
    Sample("RandomUniformLike", ["f32[4,3]"], {}),
]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.op)
def test_types_are_those_that_onnx_runtime_returns(sample: Sample) -> None:
    pytest.importorskip("onnxruntime")
    arrays = [None if operand is None else _array(operand) for operand in sample.operands]
    real = _run(sample, arrays)
    values = [None if a is None else Value(f"x{i}", TensorType(_dtype(a), a.shape)) for i, a in enumerate(arrays)]
    results = [Value(f"y{i}", UNKNOWN) for i in range(sample.results)]
    op = sample.op if "." in sample.op else f"onnx.{sample.op}"
    node = Node(op, values, results, {k: tuple(v) if isinstance(v, list) else v for k, v in sample.attrs.items()})
    known = {value: array for value, array in zip(values, arrays) if array is not None and array.dtype.kind in "iu"}
    assert [str(t) for t in SHAPES[op](node, known.get)] == [
        f"{_dtype(a)}{list(a.shape)}".replace(" ", "") for a in real
    ]


def _array(operand: Any) -> numpy.ndarray:
    if isinstance(operand, tuple):
        return numpy.array(operand[1], _DTYPES[operand[0]])
    dtype, _, dims = operand.rstrip("]").partition("[")
    return numpy.ones(tuple(int(d) for d in dims.split(",")), _DTYPES[dtype])


def _dtype(array: numpy.ndarray) -> str:
    return next(ours for ours, name in _DTYPES.items() if array.dtype == numpy.dtype(name))


def _run(sample: Sample, arrays: list[numpy.ndarray | None]) -> list[numpy.ndarray]:
    import onnx
    import onnxruntime

    domain, _, op_type = sample.op.rpartition(".")
    names = ["" if array is None else f"x{i}" for i, array in enumerate(arrays)]
    outputs = [f"y{i}" for i in range(sample.results)]
    node = onnx.helper.make_node(op_type, names, outputs, domain=domain, **sample.attrs)
    weights = [onnx.numpy_helper.from_array(a, n) for a, n in zip(arrays, names) if a is not None]
    made = [onnx.helper.make_empty_tensor_value_info(name) for name in outputs]
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid(ML, 3), onnx.helper.make_opsetid(MS, 1)]
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], made, weights), opset_imports=opsets)
    model.ir_version = 8
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {})
