"""INT8 where it pays: products between layers that have no INT8."""

from __future__ import annotations

import onnx
import pytest
from onnx_models import model, node, value, weight

import graphcost


def between_softmaxes(rows: int, inputs: int, results: int, *, moved: bool = False) -> onnx.ModelProto:
    """Softmax, product, softmax; with a transpose in between if the product's result is `moved`."""
    last = "m" if moved else "p"
    moves = [node("Transpose", ["p"], ["m"], name="move", perm=[1, 0])] if moved else []
    return model(
        [
            node("Softmax", ["x"], ["s"], name="first"),
            node("MatMul", ["s", "w"], ["p"], name="product"),
            *moves,
            node("Softmax", [last], ["y"], name="last"),
        ],
        [value("x", [rows, inputs])],
        [value("y", None)],
        [weight("w", inputs, results)],
    )


def precision(proto: onnx.ModelProto, device: str = "xavier-nx") -> str:
    report = graphcost.analyze(proto, device, precision="best")
    return next(kernel.precision for kernel in report.kernels if "product" in kernel.origin)


@pytest.mark.parametrize("moved", [False, True])
def test_a_small_product_is_not_worth_quantizing_what_it_reads(moved):
    assert precision(between_softmaxes(128, 256, 64, moved=moved)) == "f16"


def test_a_large_product_is():
    assert precision(between_softmaxes(4096, 1024, 4096)) == "i8"


def test_what_was_kept_out_of_int8_is_told_with_its_reason():
    report = graphcost.analyze(between_softmaxes(128, 256, 64), "xavier-nx", precision="best")
    assert any("longer than INT8 saves" in fallback.reason for fallback in report.fallbacks)


def test_best_is_not_slower_than_half_precision():
    for sizes in ((128, 256, 64), (512, 512, 512), (4096, 1024, 4096)):
        proto = between_softmaxes(*sizes)
        best, half = (graphcost.analyze(proto, "xavier-nx", precision=p).totals.latency_ms for p in ("best", "fp16"))
        assert best is not None and half is not None and best <= half
