"""The textual form of the IR: what is printed parses back to the same graph.

    ; target: nano@MAXN tensorrt-8.2 fp16 inference
    graph stem(%x: f16[1,64,56,56]) {
      weight %w: f16[64,64,3,3]
      %y: f16[1,64,56,56]:chw2 = trt.conv_act(%x, %w) tactic="hcudnn_128x64" {
        ^(%a: f32[1,64,56,56], %k: f32[64,64,3,3])
        %c: f32[1,64,56,56] = onnx.Conv(%a, %k) pads=[1,1,1,1] strides=[1,1] @conv1
        %r: f32[1,64,56,56] = onnx.Relu(%c)
        return %r
      }  ; 1.1 ms  compute-bound
      return %y
    }

One node a line. `;` begins a comment. `_` is an absent operand. `@name` is given where the node is not called like its
first result, `from [...]` where its origin is not its own name. A name that is no identifier stands in quotes:
`%"layer1/0/conv"`. The inputs of a body stand for the operands one by one; where they do not, each says for which:
`^body(%i = _: i64[], %state = %x: f32[4], %outer = %k@3: f32[4])`, `_` being what the operator itself supplies and
`@3` the operand slot where one value fills several.
"""

from .parser import TextError, parse_graph, parse_target
from .printer import print_graph

__all__ = ["TextError", "parse_graph", "parse_target", "print_graph"]
