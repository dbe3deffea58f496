"""Convolutions and matrix products: operators whose work is multiply-adds.

A multiply-add counts where a weight meets an input, padding included: the convention of torch's `FlopCounterMode`
(which counts two flops for each). Biases, activations and scalings are elementwise operations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from graphcost.ir import Node
from graphcost.operators import CountWork, Effort, UnknownWork

from .activation import SILU, activation_ops
from .normalization import PER_MEAN, RMS_NORM
from .quantization import DEQUANTIZE, QUANTIZE
from .sizes import constant, has_operand, integer, number, operand_elements, operand_shape, result_elements


def convolution(weight: int = 1, bias: int | None = 2, addend: int | None = None, per_output: int = 0) -> CountWork:
    """Each output element sums the input channels of its group × kernel positions, as multiply-adds; bias, addend and
    activation where they are there; {per_output} more for each element of the result.

    Not counted: what other algorithms save (Winograd, FFT) or padding spares.

    `weight`, `bias` and `addend` are operand slots.
    """

    def count(node: Node) -> Effort:
        outputs = result_elements(node)
        each = has_operand(node, bias) + has_operand(node, addend) + activation_ops(node) + per_output
        return Effort(outputs * math.prod(operand_shape(node, weight)[1:]), outputs * each)

    return count


def transposed_convolution(node: Node) -> Effort:
    """Each input element is multiplied by the weights of its channel (output channels of its group × kernel positions),
    as multiply-adds; the bias where it is there.

    Not counted: that padding cuts off what lies outside the result.
    """
    macs = operand_elements(node, 0) * math.prod(operand_shape(node, 1)[1:])
    return Effort(macs, result_elements(node) * has_operand(node, 2))


def deformable_convolution(node: Node) -> Effort:
    """The multiply-adds of a convolution over sampled inputs: each sample weighs 4 neighbours (7), then takes its mask;
    an offset is added to each coordinate."""
    batch, channels = operand_shape(node, 0)[:2]
    outputs, weight = result_elements(node), operand_shape(node, 1)
    positions = outputs // max(weight[0], 1) // max(batch, 1)
    samples = batch * channels * math.prod(weight[2:]) * positions
    sampling = samples * (7 + has_operand(node, 4)) + operand_elements(node, 2)
    return Effort(outputs * math.prod(weight[1:]), sampling + outputs * has_operand(node, 3))


def gemm(a: int = 0, bias: int = 2, per_output: int = 0) -> CountWork:
    """alpha·A·B + beta·C: M × N × K multiply-adds; for each element of the result 1 for each of alpha, beta and C that
    acts; {per_output} more."""

    def count(node: Node) -> Effort:
        inner = operand_shape(node, a)[0 if integer(node, "transA") else -1]
        outputs, biased = result_elements(node), has_operand(node, bias)
        scaled = (number(node, "alpha", 1.0) != 1.0) + biased * (number(node, "beta", 1.0) != 1.0)
        return Effort(outputs * inner, outputs * (biased + scaled + activation_ops(node) + per_output))

    return count


def matmul(per_output: int = 0, per_input: int = 0, bias: int | None = None) -> CountWork:
    """Each element of the result sums over the last dimension of A, as multiply-adds; a bias where it is there;
    {per_output} more for each element of the result; {per_input} for each element of A.

    Not counted: the corrections by zero points that integer kernels make.
    """

    def count(node: Node) -> Effort:
        rows = operand_shape(node, 0)
        if not rows:
            raise UnknownWork("a matrix product of a scalar is not defined")
        outputs = result_elements(node)
        each = per_output + has_operand(node, bias)
        return Effort(outputs * rows[-1], outputs * each + math.prod(rows) * per_input)

    return count


def fused_matmul(node: Node) -> Effort:
    """Each element of the result sums over the shared dimension, as multiply-adds; 1 for an alpha that acts, and the
    activation.

    Operands may be stored transposed (`transA`; with `transBatchA` the row dimension is first).
    """
    rows = operand_shape(node, 0)
    if not rows:
        raise UnknownWork("a matrix product of a scalar is not defined")
    inner = rows[-1]
    if integer(node, "transA") and len(rows) > 1:
        inner = rows[0] if integer(node, "transBatchA") else rows[-2]
    each = (number(node, "alpha", 1.0) != 1.0) + activation_ops(node)
    return Effort(result_elements(node) * inner, result_elements(node) * each)


def block_quantized_matmul(bias: int | None) -> CountWork:
    """A × an N×K weight in few bits: multiply-adds, and 2 for each weight, which is scaled and shifted once."""

    def count(node: Node) -> Effort:
        n, k = integer(node, "N"), integer(node, "K")
        if not n or not k:
            raise UnknownWork("attributes N and K do not say how large the weight is")
        biased = result_elements(node) * has_operand(node, bias)
        return Effort(operand_elements(node, 0) * n, n * k * DEQUANTIZE + biased)

    return count


def scaled_matmul(bias: int, scales: int, quantized_input: int | None = None) -> CountWork:
    """A × a weight [N, K or packed K] in few bits: multiply-adds, and {scales} for each weight, to scale it; A is
    quantised where its scale is there."""

    def count(node: Node) -> Effort:
        inputs, outputs = operand_elements(node, 0), result_elements(node)
        rows, columns = operand_shape(node, 1)[0], operand_shape(node, 0)[-1]
        each = has_operand(node, quantized_input) * QUANTIZE
        ops = rows * columns * scales + inputs * each + outputs * has_operand(node, bias)
        return Effort(outputs * columns, ops)

    return count


def block_quantized_projections(weights: tuple[tuple[int, str], ...], per_output: int = 0) -> CountWork:
    """RMS norm (after a residual that may be there) and several products of its result with weights in few bits, each
    weight being scaled and shifted once; {per_output} more for each element of the result.

    `weights`: for each product the slot of its bias and the attribute that says how many columns it has.
    """

    def count(node: Node) -> Effort:
        inputs, inner = operand_elements(node, 0), integer(node, "K")
        if not inner:
            raise UnknownWork("attribute K is absent")
        columns = sum(integer(node, name) for _, name in weights)
        rows = inputs // inner
        biased = rows * sum(integer(node, name) * has_operand(node, bias) for bias, name in weights)
        normalized = has_operand(node, 2) * (inputs * (RMS_NORM + has_operand(node, 1)) + rows * PER_MEAN)
        ops = normalized + columns * inner * DEQUANTIZE + biased + result_elements(node) * per_output
        return Effort(inputs * columns, ops)

    return count


def sparse_matmul(node: Node) -> Effort:
    """Each element of the result sums over the shared dimension, as if A were dense: what it stores is data."""
    inner = operand_shape(node, 1)[-1 if integer(node, "transB") else -2]
    scaled = number(node, "alpha", 1.0) != 1.0
    return Effort(result_elements(node) * inner, result_elements(node) * scaled)


def four_bit_matmul(node: Node) -> Effort:
    """A × a weight in 4 bits whose shape [K, N] is operand 2: multiply-adds, and 2 for each weight."""
    dims = constant(node, 2)
    if dims is None or not all(isinstance(d, int) for d in dims):
        raise UnknownWork("the shape of the weight (operand 2) is not known")
    weights = math.prod(int(d) for d in dims)
    return Effort(result_elements(node) * operand_shape(node, 0)[-1], weights * DEQUANTIZE)


CONTRACTION: Mapping[str, CountWork] = {
    "onnx.Conv": convolution(),
    "onnx.ConvInteger": convolution(bias=None),
    "onnx.QLinearConv": convolution(weight=3, bias=8, per_output=QUANTIZE),
    "onnx.ConvTranspose": transposed_convolution,
    "onnx.DeformConv": deformable_convolution,
    "onnx.CausalConvWithState": convolution(),
    "onnx.Gemm": gemm(),
    "onnx.MatMul": matmul(),
    "onnx.MatMulInteger": matmul(),
    "onnx.QLinearMatMul": matmul(per_output=QUANTIZE),
    "com.microsoft.FusedConv": convolution(addend=3),
    "com.microsoft.nchwc.Conv": convolution(addend=3),
    "com.microsoft.NhwcConv": convolution(),
    "com.microsoft.NhwcFusedConv": convolution(addend=3),
    "com.microsoft.QLinearConv": convolution(weight=3, bias=8, per_output=QUANTIZE),
    "com.microsoft.ConvTransposeWithDynamicPads": transposed_convolution,
    "com.microsoft.FusedGemm": gemm(),
    "com.microsoft.GemmFloat8": gemm(),
    "com.microsoft.QGemm": gemm(bias=6, per_output=QUANTIZE),
    "com.microsoft.FusedMatMul": fused_matmul,
    "com.microsoft.FusedMatMulActivation": fused_matmul,
    "com.microsoft.TransposeMatMul": fused_matmul,
    "com.microsoft.GemmFastGelu": matmul(per_output=8, bias=2),
    "com.microsoft.MatMulInteger16": matmul(),
    "com.microsoft.MatMulIntegerToFloat": matmul(per_output=1, bias=6),
    "com.microsoft.DynamicQuantizeMatMul": matmul(per_output=1, per_input=2 + QUANTIZE, bias=4),
    "com.microsoft.MatMulNBits": block_quantized_matmul(bias=5),
    "com.microsoft.MatMulBnb4": block_quantized_matmul(bias=None),
    "com.microsoft.MatMulFpQ4": four_bit_matmul,
    "com.microsoft.MatMulBlockQuantizedFp4Weight": scaled_matmul(bias=5, scales=2),
    "com.microsoft.MatMulBlockQuantizedFp8Weight": scaled_matmul(bias=4, scales=1, quantized_input=3),
    "com.microsoft.MatMulNBitsMlp": block_quantized_projections(((5, "N"), (8, "N")), per_output=1 + SILU),
    "com.microsoft.MatMulNBitsQkv": block_quantized_projections(((5, "Nq"), (8, "Nkv"), (11, "Nkv"))),
    "com.microsoft.QOrderedMatMul": matmul(per_output=QUANTIZE, bias=5),
    "com.microsoft.SparseToDenseMatMul": sparse_matmul,
    "com.microsoft.CausalConvWithState": convolution(),
}
