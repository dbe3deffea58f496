"""Geometry: the matrix products inside a kernel, from shapes alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphcost.api import Run, run
from graphcost.cost import KernelQuery
from graphcost.geometry import Contraction, Geometry, Window, geometry_of
from graphcost.kernels import queries_of
from graphcost.text import parse_graph
from graphcost.work import work_table

MODELS = Path(__file__).parents[1] / "examples" / "models"


def geometry(text: str) -> Geometry:
    graph = parse_graph(text)
    graph.verify()
    return geometry_of(list(graph)[-1])


def one(text: str) -> Contraction:
    (found,) = geometry(text).contractions
    return found


CONV = """graph g(%x: f32[2,8,9,9], %w: f32[16,4,3,3]) {{
  %y: f32[2,16,5,5] = onnx.Conv(%x, %w) group=2 kernel_shape=[3,3] pads=[1,1,1,1] {strides}
  return %y
}}"""


def test_a_convolution_is_pixels_by_channels_over_channels_times_window():
    found = one(CONV.format(strides="strides=[2,2]"))
    assert (found.kind, found.batch, found.groups, found.m, found.n, found.k) == ("conv", 1, 2, 2 * 5 * 5, 8, 4 * 9)
    assert (found.window, found.strides, found.dilations) == ((3, 3), (2, 2), (1, 1))
    assert (found.input_dims, found.output_dims) == ((2, 8, 9, 9), (2, 16, 5, 5))


GRADIENT = """graph g(%dy: f32[2,16,5,5], %x: f32[2,8,9,9], %w: f32[16,4,3,3]) {{
  %dx: f32[{made}] = grad.Conv(%dy, %x, %w) group=2 kernel_shape=[3,3] pads=[1,1,1,1] strides=[2,2] wrt={wrt}
  return %dx
}}"""


def test_dgrad_is_a_transposed_convolution_of_the_gradient_and_wgrad_sums_over_pixels():
    dgrad, wgrad = (one(GRADIENT.format(made=made, wrt=wrt)) for made, wrt in (("2,8,9,9", 0), ("16,4,3,3", 1)))
    forward = one(CONV.format(strides="strides=[2,2]"))
    assert (dgrad.kind, dgrad.groups, dgrad.m, dgrad.n, dgrad.k) == ("deconv", 2, 2 * 5 * 5, 4 * 9, 8)
    assert (wgrad.kind, wgrad.groups, wgrad.m, wgrad.n, wgrad.k) == ("wgrad", 2, 8, 4 * 9, 2 * 5 * 5)
    assert dgrad.macs == wgrad.macs == forward.macs


def test_the_gradient_of_a_bias_is_a_sum_and_no_product():
    assert geometry(GRADIENT.format(made="16", wrt=2)).contractions == ()


@pytest.mark.parametrize("wrt, made", [(0, "4,10,32"), (1, "32,7")])
def test_gradients_of_a_product_have_its_multiply_adds(wrt, made):
    found = one(f"""graph g(%dy: f32[4,10,7], %x: f32[4,10,32], %w: f32[32,7]) {{
  %d: f32[{made}] = grad.MatMul(%dy, %x, %w) wrt={wrt}
  return %d
}}""")
    assert (found.kind, found.macs) == ("gemm", 4 * 10 * 32 * 7)


@pytest.mark.parametrize("wrt, made", [(0, "4,3,10,32"), (1, "4,3,32,7")])
def test_gradients_of_batched_products_are_a_batch_of_products(wrt, made):
    found = one(f"""graph g(%dy: f32[4,3,10,7], %x: f32[4,3,10,32], %w: f32[4,3,32,7]) {{
  %d: f32[{made}] = grad.MatMul(%dy, %x, %w) wrt={wrt}
  return %d
}}""")
    assert (found.kind, found.batch, found.macs) == ("gemm", 12, 12 * 10 * 32 * 7)


def test_a_transposed_convolution_multiplies_each_pixel_of_its_input():
    found = one("""graph g(%x: f32[1,8,4,4], %w: f32[8,6,2,2]) {
  %y: f32[1,6,8,8] = onnx.ConvTranspose(%x, %w) kernel_shape=[2,2] strides=[2,2]
  return %y
}""")
    assert (found.kind, found.m, found.n, found.k, found.strides) == ("deconv", 16, 6 * 4, 8, (2, 2))


def test_rows_of_a_batch_that_share_a_weight_are_one_product():
    found = one("""graph g(%x: f32[4,10,32], %w: f32[32,7]) {
  %y: f32[4,10,7] = onnx.MatMul(%x, %w)
  return %y
}""")
    assert (found.kind, found.batch, found.m, found.n, found.k) == ("gemm", 1, 40, 7, 32)


def test_products_of_activations_are_a_batch():
    found = one("""graph g(%x: f32[4,3,10,32], %w: f32[4,3,32,7]) {
  %y: f32[4,3,10,7] = onnx.MatMul(%x, %w)
  return %y
}""")
    assert (found.batch, found.m, found.n, found.k, found.transposed) == (12, 10, 7, 32, False)


def test_a_transposed_weight_is_said_to_be_so():
    found = one("""graph g(%x: f32[5,32], %w: f32[7,32]) {
  %y: f32[5,7] = onnx.Gemm(%x, %w) transB=1
  return %y
}""")
    assert (found.m, found.n, found.k, found.transposed) == (5, 7, 32, True)


def test_an_unknown_dimension_leaves_the_product_out():
    found = geometry("""graph g(%x: f32[?n,32], %w: f32[32,7]) {
  %y: f32[?n,7] = onnx.MatMul(%x, %w)
  return %y
}""")
    assert found.contractions == ()


KERNEL = """graph g(%x: f16[1,8,9,9], %w: f16[16,8,3,3], %v: f16[4,8,3,3], %z: f16[1,16,9,9]) {
  %y: f16[1,16,9,9], %u: f16[1,4,9,9] = trt.conv(%x, %w, %v, %z) {
    ^(%a = %x: f32[1,8,9,9], %k = %w: f32[16,8,3,3], %r = %z: f32[1,16,9,9])
    %c: f32[1,16,9,9] = onnx.Conv(%a, %k) kernel_shape=[3,3] pads=[1,1,1,1]
    %s: f32[1,16,9,9] = onnx.Add(%c, %r)
    %t: f32[1,16,9,9] = onnx.Relu(%s)
    return %t
    ^(%a = %x: f32[1,8,9,9], %k = %v: f32[4,8,3,3])
    %c: f32[1,4,9,9] = onnx.Conv(%a, %k) kernel_shape=[3,3] pads=[1,1,1,1]
    return %c
  }
  return %y, %u
}"""


def test_a_merged_kernel_has_the_products_of_all_its_bodies():
    assert [found.n for found in geometry(KERNEL).contractions] == [16, 4]


def test_what_is_fused_behind_is_the_epilogue():
    found = geometry(KERNEL)
    assert (found.epilogue, found.window) == (("Add", "Relu"), Window((3, 3), (1, 1)))


def test_a_pooling_has_a_window_and_no_product():
    found = geometry("""graph g(%x: f32[1,8,9,9]) {
  %y: f32[1,8,4,4] = onnx.MaxPool(%x) kernel_shape=[3,3] strides=[2,2]
  return %y
}""")
    assert (found.contractions, found.window) == ((), Window((3, 3), (2, 2)))


HIDDEN = {
    "deformable": """graph g(%x: f32[1,8,9,9], %w: f32[16,4,3,3], %o: f32[1,18,9,9]) {
  %y: f32[1,16,9,9] = onnx.DeformConv(%x, %w, %o) group=2 pads=[1,1,1,1]
  return %y
}""",
    "einsum": """graph g(%q: f32[2,3,10,8], %k: f32[2,3,12,8]) {
  %y: f32[2,3,10,12] = onnx.Einsum(%q, %k) equation="bhid,bhjd->bhij"
  return %y
}""",
    "einsum of three": """graph g(%a: f32[5,6], %b: f32[6,7], %c: f32[7,8]) {
  %y: f32[5,8] = onnx.Einsum(%a, %b, %c) equation="ij,jk,kl->il"
  return %y
}""",
    "attention": """graph g(%q: f32[2,3,10,8], %k: f32[2,1,12,8], %v: f32[2,1,12,4]) {
  %y: f32[2,3,10,4] = onnx.Attention(%q, %k, %v)
  return %y
}""",
    "multi-head": """graph g(%q: f32[2,10,24], %k: f32[2,12,24], %v: f32[2,12,24]) {
  %y: f32[2,10,24] = com.microsoft.MultiHeadAttention(%q, %k, %v) num_heads=3
  return %y
}""",
    "weight in four bits": """graph g(%x: f32[2,1,64], %w: u8[48,2,16], %s: f32[96]) {
  %y: f32[2,1,48] = com.microsoft.MatMulNBits(%x, %w, %s) K=64 N=48 bits=4 block_size=32
  return %y
}""",
    "lstm": """graph g(%x: f32[20,3,32], %w: f32[2,64,32], %r: f32[2,64,16]) {
  %y: f32[20,2,3,16] = onnx.LSTM(%x, %w, %r) hidden_size=16 direction="bidirectional"
  return %y
}""",
}


@pytest.mark.parametrize("text", HIDDEN.values(), ids=HIDDEN)
def test_products_inside_other_operators_have_all_their_multiply_adds(text):
    from harness import registry

    graph = parse_graph(text)
    graph.verify()
    (query,) = queries_of(graph, work_table(graph, registry().operators), registry().operators)
    assert sum(part.macs for part in query.contractions) == query.work.macs > 0


def test_each_step_of_a_recurrent_layer_is_a_product_of_input_and_state():
    found = one(HIDDEN["lstm"])
    assert (found.kind, found.batch, found.m, found.n, found.k) == ("gemm", 20 * 2, 3, 64, 32 + 16)


def test_a_recurrent_layer_may_have_its_batch_first():
    text = HIDDEN["lstm"].replace("20,3,32", "3,20,32").replace("20,2,3,16", "3,20,2,16")
    assert one(text.replace("direction", "layout=1 direction")) == one(HIDDEN["lstm"])


def test_what_einsum_sums_is_the_depth_of_a_batch_of_products():
    found = one(HIDDEN["einsum"])
    assert (found.batch, found.m, found.n, found.k) == (6, 10, 12, 8)


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.onnx")), ids=lambda path: path.stem)
def test_products_add_up_to_the_macs_of_their_kernel(path: Path):
    found = run(path, "nano", precision="fp16")
    contracting = [q for q in _queries(found) if q.contractions]
    assert contracting
    assert all(sum(part.macs for part in query.contractions) == query.work.macs for query in contracting)


def _queries(found: Run) -> list[KernelQuery]:
    from harness import registry

    operators = registry().operators
    return queries_of(found.graph, work_table(found.graph, operators), operators)


def test_a_recurrent_layer_is_launched_step_by_step():
    from harness import registry

    graph, operators = parse_graph(HIDDEN["lstm"]), registry().operators
    (query,) = queries_of(graph, work_table(graph, operators), operators)
    assert query.steps == 20
