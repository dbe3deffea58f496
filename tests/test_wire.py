"""The reader of ONNX files: the structure that onnx.load sees, no weights, one sentence for what is not a model."""

from __future__ import annotations

import copy
import math
import os
import random
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from graphcost.errors import ModelError
from graphcost.importer import schema
from graphcost.importer.constants import ELEMENTS, MAX_INTEGERS, MAX_REALS
from graphcost.importer.decode import ATTRIBUTE_KINDS
from graphcost.importer.message import Schema
from graphcost.importer.records import (
    AttributeRecord,
    GraphRecord,
    ModelRecord,
    SparseTensorRecord,
    TensorRecord,
    TypeRecord,
)
from graphcost.importer.source import read_model

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
DTYPES = [number for name, number in TensorProto.DataType.items() if name not in ("UNDEFINED", "STRING")]


def value(name: str, dims: list[int | str | None] | None = None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, FLOAT, dims)


def model_of(
    nodes: list[onnx.NodeProto] | None = None,
    initializers: list[TensorProto] | None = None,
    functions: list[onnx.FunctionProto] | None = None,
    **graph: Any,
) -> onnx.ModelProto:
    body = helper.make_graph(nodes or [], "main", [value("x", [1])], [value("y", [1])], initializers or [], **graph)
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("custom", 1)]
    return helper.make_model(body, opset_imports=opsets, functions=functions or [], producer_name="tests")


def read(model: onnx.ModelProto) -> ModelRecord:
    """The record, which must be the same from bytes and from the object."""
    from_bytes = read_model(model.SerializeToString())
    assert repr(from_bytes) == repr(read_model(model))  # by text, in which one NaN is like another
    return from_bytes


def read_tensor(tensor: TensorProto) -> TensorRecord:
    return read(model_of(initializers=[tensor])).graph.initializers[0]


def attribute_of(attribute: onnx.AttributeProto) -> AttributeRecord:
    node = onnx.NodeProto(op_type="Op", attribute=[attribute])
    return read(model_of([node])).graph.nodes[0].attributes[attribute.name]


# What onnx.proto says


@pytest.mark.parametrize("table", [x for x in vars(schema).values() if isinstance(x, Schema)], ids=lambda x: x.name)
def test_field_numbers_are_those_of_onnx(table: Schema) -> None:
    descriptor: Any = onnx
    for part in table.name.split("."):
        descriptor = getattr(descriptor, part)
    numbers = {field.number: field.name for field in descriptor.DESCRIPTOR.fields}
    assert table.fields.items() <= numbers.items()


def test_every_element_type_and_attribute_type_of_onnx_is_known() -> None:
    onnx_elements = {number for name, number in TensorProto.DataType.items() if name != "UNDEFINED"}
    assert onnx_elements <= ELEMENTS.keys()
    onnx_kinds = {number: name.lower() for name, number in onnx.AttributeProto.AttributeType.items() if number}
    assert onnx_kinds == {number: kind.name for number, kind in ATTRIBUTE_KINDS.items()}


# Small constants


def same(data: Any, expected: numpy.ndarray[Any, Any]) -> bool:
    flat = [value.item() if value.dtype.kind in "biufc" else float(value) for value in expected.reshape(-1)]
    return len(data) == len(flat) and all(a == b or (a != a and b != b) for a, b in zip(data, flat))


@pytest.mark.parametrize("number", DTYPES, ids=lambda number: ELEMENTS[number].name)
def test_raw_values_are_those_that_numpy_helper_reads(number: int) -> None:
    element = ELEMENTS[number]
    count = 13  # odd, so that the last byte of a packed type is not full
    raw = random.Random(number).randbytes(-(-count * element.bits // 8))
    tensor = TensorProto(name="c", data_type=number, dims=[count], raw_data=b"\1" * count if number == 9 else raw)
    record = read_tensor(tensor)
    assert (record.dtype, record.stored, record.external) == (element.name, True, False)
    assert record.data is not None
    with numpy.errstate(all="ignore"):
        assert same(record.data, numpy_helper.to_array(tensor))


@pytest.mark.parametrize("number", DTYPES, ids=lambda number: ELEMENTS[number].name)
def test_typed_values_are_those_that_numpy_helper_reads(number: int) -> None:
    values = [0, 1, 1, 0, 1] if ELEMENTS[number].name.startswith(("u", "b", "f8e8")) else [0, 1, -1, 0, 1]
    tensor = helper.make_tensor("c", number, [5], values)
    data = read_tensor(tensor).data
    assert data is not None
    assert same(data, numpy_helper.to_array(tensor))


@pytest.mark.parametrize("number", [n for n in DTYPES if ELEMENTS[n].bits <= 8 and ELEMENTS[n].name[0] == "f"])
def test_every_pattern_of_a_small_float_is_read(number: int) -> None:
    element = ELEMENTS[number]
    patterns = 1 << element.bits
    for start in range(0, patterns, MAX_REALS):
        chunk = range(start, min(start + MAX_REALS, patterns))
        packed = sum(pattern << element.bits * index for index, pattern in enumerate(chunk))
        raw = packed.to_bytes(len(chunk) * element.bits // 8, "little")
        tensor = TensorProto(name="c", data_type=number, dims=[len(chunk)], raw_data=raw)
        data = read_tensor(tensor).data
        assert data is not None
        assert same(data, numpy_helper.to_array(tensor))


def test_strings_scalars_and_empty_tensors_keep_their_values() -> None:
    assert read_tensor(helper.make_tensor("s", TensorProto.STRING, [2], ["a", "é"])).data == ("a", "é")
    assert read_tensor(helper.make_tensor("s", INT64, [], [7])).data == (7,)
    assert read_tensor(helper.make_tensor("s", FLOAT, [0], [])).data == ()


@pytest.mark.parametrize(("dtype", "limit"), [(numpy.int64, MAX_INTEGERS), (numpy.float32, MAX_REALS)])
def test_only_small_tensors_keep_their_values(dtype: Any, limit: int) -> None:
    small = read_tensor(numpy_helper.from_array(numpy.arange(limit).astype(dtype), "c"))
    large = read_tensor(numpy_helper.from_array(numpy.arange(limit + 1).astype(dtype), "c"))
    assert small.data == tuple(range(limit))
    assert large.data is None
    assert large.stored
    assert large.elements == limit + 1


def test_a_stripped_tensor_has_a_shape_and_nothing_else() -> None:
    record = read_tensor(TensorProto(name="w", data_type=FLOAT, dims=[2, 3]))
    assert record == TensorRecord("w", "f32", (2, 3), None, stored=False, external=False)


def test_external_data_is_not_opened() -> None:
    tensor = TensorProto(name="w", data_type=FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/no/such/file")
    assert read_tensor(tensor) == TensorRecord("w", "f32", (2,), None, stored=False, external=True)


def test_an_element_type_from_the_future_is_unknown() -> None:
    assert read_tensor(TensorProto(name="w", data_type=99, dims=[1], raw_data=b"abc")).dtype == "?"


@pytest.mark.parametrize(
    "tensor",
    [
        TensorProto(name="w", data_type=FLOAT, dims=[1000, 1000], raw_data=b"1234"),
        TensorProto(name="w", data_type=FLOAT, dims=[2], float_data=[1, 2, 3]),
        TensorProto(name="w", data_type=INT64, dims=[2], int64_data=[1]),
        TensorProto(name="w", data_type=INT64, dims=[1], int64_data=range(50)),
        TensorProto(name="w", data_type=TensorProto.STRING, dims=[2], string_data=[b"a"]),
        TensorProto(name="w", data_type=INT64, dims=[0], int64_data=[1]),
    ],
)
def test_values_that_do_not_fill_their_shape_are_refused(tensor: TensorProto) -> None:
    with pytest.raises(ModelError, match="tensor 'w' does not hold the"):
        read(model_of(initializers=[tensor]))


@pytest.mark.parametrize("dims", [[-1], [1] * 65])
def test_a_stored_tensor_has_a_sane_shape(dims: list[int]) -> None:
    with pytest.raises(ModelError, match="tensor 'w' has (the dimension -1|more than 64)"):
        read(model_of(initializers=[TensorProto(name="w", data_type=FLOAT, dims=dims)]))


# Attributes, types, functions, subgraphs


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("int", -3, -3),
        ("float", 0.5, 0.5),
        ("string", "é", "é"),
        ("ints", [1, -2, 1 << 40], (1, -2, 1 << 40)),
        ("floats", [0.5, math.inf], (0.5, math.inf)),
        ("strings", ["a", ""], ("a", "")),
    ],
)
def test_plain_attributes_become_python_values(kind: str, given: Any, expected: Any) -> None:
    attribute = attribute_of(helper.make_attribute("a", given))
    assert attribute == AttributeRecord("a", kind, expected)
    assert type(attribute.value) is type(expected)


def test_an_empty_list_keeps_its_kind() -> None:
    kinds = onnx.AttributeProto
    assert attribute_of(kinds(name="a", type=kinds.INTS)) == AttributeRecord("a", "ints", ())
    assert attribute_of(kinds(name="a", type=kinds.FLOATS)) == AttributeRecord("a", "floats", ())


def test_attributes_hold_tensors_graphs_and_types() -> None:
    tensor = helper.make_tensor("t", INT64, [1], [5])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "body", [value("x")], [value("y")])
    sparse = helper.make_sparse_tensor(tensor, helper.make_tensor("i", INT64, [1], [2]), [10])
    vector = helper.make_tensor_type_proto(FLOAT, ["n"])
    tensor_record = TensorRecord("t", "i64", (1,), (5,), stored=True, external=False)
    type_record = TypeRecord("tensor", "f32", ("n",))
    assert attribute_of(helper.make_attribute("a", tensor)).value == tensor_record
    assert attribute_of(helper.make_attribute("a", [tensor, tensor])).value == (tensor_record, tensor_record)
    assert attribute_of(helper.make_attribute("a", vector)).value == type_record
    assert attribute_of(helper.make_attribute("a", [vector])).value == (type_record,)
    body = attribute_of(helper.make_attribute("a", graph)).value
    assert isinstance(body, GraphRecord)
    assert [node.op_type for node in body.nodes] == ["Relu"]
    assert attribute_of(helper.make_attribute("a", [graph])).value == (body,)
    record = attribute_of(helper.make_attribute("a", sparse)).value
    assert isinstance(record, SparseTensorRecord)
    assert (record.name, record.values, record.dims) == ("t", tensor_record, (10,))
    assert attribute_of(helper.make_attribute("a", [sparse])).value == (record,)


def test_an_attribute_without_a_type_has_that_of_its_field() -> None:
    assert attribute_of(onnx.AttributeProto(name="a", i=3)) == AttributeRecord("a", "int", 3)
    assert attribute_of(onnx.AttributeProto(name="a", floats=[2.0])) == AttributeRecord("a", "floats", (2.0,))
    assert attribute_of(onnx.AttributeProto(name="a")) == AttributeRecord("a", "undefined", None)


def test_an_attribute_as_long_as_an_engine_is_not_read() -> None:
    assert attribute_of(helper.make_attribute("a", b"x" * 2_000_000)).value is None


def test_a_large_tensor_or_body_in_an_attribute_is_read_without_its_values() -> None:
    tensor = numpy_helper.from_array(numpy.zeros(600_000, numpy.float32), "w")
    graph = helper.make_graph([], "body", [], [], [tensor])
    record = attribute_of(helper.make_attribute("a", tensor)).value
    assert record == TensorRecord("w", "f32", (600_000,), None, stored=True, external=False)
    body = attribute_of(helper.make_attribute("a", graph)).value
    assert isinstance(body, GraphRecord)
    assert body.initializers == [record]


def test_types_nest() -> None:
    tensor = helper.make_tensor_type_proto(FLOAT, [2, "n", None])
    inner = TypeRecord("tensor", "f32", (2, "n", None))
    types = {
        "tensor": (tensor, inner),
        "rankless": (helper.make_tensor_type_proto(INT64, None), TypeRecord("tensor", "i64", None)),
        "scalar": (helper.make_tensor_type_proto(INT64, []), TypeRecord("tensor", "i64", ())),
        "negative": (helper.make_tensor_type_proto(INT64, [-1]), TypeRecord("tensor", "i64", (None,))),
        "sequence": (helper.make_sequence_type_proto(tensor), TypeRecord("sequence", element=inner)),
        "optional": (helper.make_optional_type_proto(tensor), TypeRecord("optional", element=inner)),
        "map": (helper.make_map_type_proto(INT64, tensor), TypeRecord("map", "i64", element=inner)),
        "sparse": (helper.make_sparse_tensor_type_proto(FLOAT, [3]), TypeRecord("sparse_tensor", "f32", (3,))),
        "opaque": (onnx.TypeProto(opaque_type=onnx.TypeProto.Opaque(name="o")), TypeRecord("opaque")),
        "absent": (onnx.TypeProto(), None),
    }
    infos = [onnx.ValueInfoProto(name=name, type=proto) for name, (proto, _) in types.items()]
    record = read(model_of(value_info=infos))
    assert {info.name: info.type for info in record.graph.value_info} == {n: r for n, (_, r) in types.items()}


def test_functions_keep_references_defaults_and_opsets() -> None:
    node = helper.make_node("LeakyRelu", ["x"], ["y"])
    node.attribute.add(name="alpha", ref_attr_name="slope", type=onnx.AttributeProto.FLOAT)
    function = helper.make_function(
        "custom", "Leaky", ["x"], ["y"], [node], [helper.make_opsetid("ai.onnx", 21)], ["slope"],
        [helper.make_attribute("bias", 0.25)], overload="v2",
    )  # fmt: skip
    record = read(model_of(functions=[function])).functions[0]
    assert (record.domain, record.name, record.overload) == ("custom", "Leaky", "v2")
    assert (record.inputs, record.outputs, record.attributes) == (("x",), ("y",), ("slope",))
    assert record.defaults == {"bias": AttributeRecord("bias", "float", 0.25)}
    assert record.opset_imports == {"": 21}
    assert record.nodes[0].attributes["alpha"] == AttributeRecord("alpha", "float", None, "slope")


def test_the_default_domain_has_one_spelling() -> None:
    record = read(model_of([helper.make_node("Relu", ["x"], ["y"], domain="ai.onnx")]))
    assert record.graph.nodes[0].domain == ""
    assert record.opset_imports == {"": 21, "custom": 1}


def test_the_model_tells_its_origin() -> None:
    model = model_of()
    model.producer_version = "2.0"
    model.metadata_props.add(key="task", value="detect")
    record = read(model)
    assert (record.producer, record.metadata, record.ir_version) == ("tests 2.0", {"task": "detect"}, model.ir_version)


# The wire format itself


def field(number: int, payload: bytes) -> bytes:
    """A length-delimited field; numbers below 16 and payloads below 16 KiB."""
    size = len(payload)
    return bytes([number << 3 | 2, *([size] if size < 128 else [size & 127 | 128, size >> 7])]) + payload


def initializer(payload: bytes) -> TensorRecord:
    content = field(7, field(5, payload))
    record = read_model(content).graph.initializers[0]
    assert repr(record) == repr(read_model(onnx.ModelProto.FromString(content)).graph.initializers[0])
    return record


def test_repeated_numbers_may_be_packed_or_not_or_both() -> None:
    dtype = bytes([2 << 3, INT64])
    assert initializer(b"\x08\x02\x08\x01" + dtype).dims == (2, 1)
    assert initializer(field(1, b"\x02\x01") + dtype).dims == (2, 1)
    assert initializer(b"\x08\x02" + field(1, b"\x01") + dtype).dims == (2, 1)
    assert initializer(b"\x08\x02" + dtype + b"\x38\x05\x38\x06").data == (5, 6)
    assert initializer(b"\x08\x02" + dtype + field(7, b"\x05\x06")).data == (5, 6)
    assert initializer(b"\x08\x01" + bytes([2 << 3, FLOAT]) + b"\x25\x00\x00\x80\x3f").data == (1.0,)


def test_a_message_in_pieces_is_merged_and_the_last_of_a_scalar_counts() -> None:
    node = onnx.NodeProto(op_type="Relu").SerializeToString()
    content = field(7, field(1, node) + field(2, b"old")) + field(7, field(1, node) + field(2, b"new"))
    record = read_model(content)
    assert (record.graph.name, len(record.graph.nodes)) == ("new", 2)
    assert record == read_model(onnx.ModelProto.FromString(content))


def test_fields_from_the_future_are_stepped_over() -> None:
    unknown = b"\xc0\x3e\x05" + b"\xc2\x3e\x03abc" + b"\xc5\x3e1234" + b"\xc1\x3e12345678"  # field 1000, each wire type
    assert read_model(unknown + field(7, unknown + field(2, b"g"))).graph.name == "g"


def test_text_that_is_not_utf8_is_replaced() -> None:
    assert read_model(field(7, field(2, b"a\xffb"))).graph.name == "a\ufffdb"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x3a\x7f\x00", "field 'graph' says 127 bytes, but only 1 are left (is the file cut off?)"),
        (b"\x08" + b"\xff" * 20, "the number at byte 1 is longer than ten bytes"),
        (b"\x08\xff", "it ends in the middle of a number at byte 2 (is the file cut off?)"),
        (b"\x3a" + b"\xff" * 9 + b"\x01", "field 'graph' says 18,446,744,073,709,551,615 bytes, but only 0 are left"),
        (field(7, b"\x0a\x40\x00"), "field 'node' says 64 bytes, but only 1 are left"),
        (b"\x08\x07\x00\x00", "ModelProto holds bytes that are not protobuf (field 0, type 0)"),
        (b"\x08\x07\x3b", "ModelProto holds bytes that are not protobuf (field 7, type 3)"),
        (b"\x08\x07", "it holds no graph, so it is not an ONNX model"),
        (b"", "it is empty"),
        (b"PK\x03\x04rest", "it is a zip archive, such as a PyTorch checkpoint"),
        (b"ftrt\x00\x00", "it is a TensorRT engine"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "it is a Git LFS pointer"),
        (b"\n<!DOCTYPE html><html>", "it is a web page"),
        (b"; target: nano@MAXN\ngraph g() {", "it is a graph as text: `graphcost opt` reads it"),
        (b"conv1 7x7\nconv2 3x3\n", "it is a text file"),
    ],
)
def test_what_is_not_a_model_is_refused_in_one_sentence(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError) as from_file:
        read_model(path)
    with pytest.raises(ModelError) as from_bytes:
        read_model(content)
    assert str(from_file.value).startswith(f"cannot read {path}: {reason}")
    assert str(from_bytes.value).startswith(f"cannot read the given bytes: {reason}")
    assert "\n" not in str(from_file.value)
    assert from_file.value.exit_code == 3


@pytest.mark.parametrize(
    ("path", "reason"),
    [("missing.onnx", "no such file or directory"), (".", "is a directory"), ("a\0b", "embedded null byte")],
)
def test_what_cannot_be_opened_is_refused_in_one_sentence(path: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"cannot read .*: {reason}"):
        read_model(str(tmp_path / path))


@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="needs a device that never ends")
def test_a_device_is_not_a_file() -> None:
    with pytest.raises(ModelError, match="cannot read /dev/zero: not a regular file"):
        read_model("/dev/zero")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    content = model_of().SerializeToString()
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    assert read_model(pipe) == read_model(content)
    writer.join()


@pytest.mark.parametrize("source", [None, 3, ["model.onnx"], helper.make_graph([], "g", [], [])])
def test_other_objects_are_refused(source: Any) -> None:
    with pytest.raises(ModelError, match=r"cannot read a model from a .*: give"):
        read_model(source)


def nested(depth: int) -> bytes:
    """A model whose graphs hold each other `depth` times, as bytes: protobuf would refuse to build it."""
    graph = b""
    for _ in range(depth):
        size = len(graph)
        attribute = b"\x32" + bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14]) + graph + b"\xa0\x01\x05"
        node = len(attribute)
        inner = b"\x2a" + bytes([node & 127 | 128, node >> 7 & 127 | 128, node >> 14]) + attribute
        outer = len(inner)
        graph = b"\x0a" + bytes([outer & 127 | 128, outer >> 7 & 127 | 128, outer >> 14]) + inner
    return b"\x3a" + bytes([len(graph) & 127 | 128, len(graph) >> 7 & 127 | 128, len(graph) >> 14]) + graph


def test_graphs_nest_as_deep_as_protobuf_allows_and_no_deeper() -> None:
    assert read_model(nested(32)).graph.nodes
    with pytest.raises(ModelError, match="messages are nested deeper than 100"):
        read_model(nested(2000))


# Sources


def test_every_source_gives_the_same_record(tmp_path: Path) -> None:
    model = model_of([helper.make_node("Relu", ["x"], ["y"], "relu")], [helper.make_tensor("w", INT64, [2], [3, 4])])
    path = tmp_path / "m.onnx"
    onnx.save(model, path)
    content = path.read_bytes()
    sources = [path, str(path), content, bytearray(content), memoryview(content), model]
    records = [read_model(source) for source in sources]
    assert all(record == records[0] for record in records)


def test_a_model_object_is_left_as_it_was() -> None:
    model = model_of([helper.make_node("Relu", ["x"], ["y"])], [helper.make_tensor("w", INT64, [2], [3, 4])])
    before = copy.deepcopy(model)
    read_model(model)
    assert model == before


def test_a_graphsurgeon_graph_is_read() -> None:
    surgeon = pytest.importorskip("onnx_graphsurgeon")
    model = model_of([helper.make_node("Relu", ["x"], ["y"], "relu")])
    record = read_model(surgeon.import_onnx(model))
    assert [(node.name, node.op_type, node.inputs, node.outputs) for node in record.graph.nodes] == [
        ("relu", "Relu", ("x",), ("y",))
    ]


# Weights stay on the disk

SPARSE_PEAK = """
import resource, sys
from graphcost.importer.source import read_model
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
record = read_model(sys.argv[1])
print(record.graph.initializers[0].dims, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def long_field(number: int, size: int) -> bytes:
    """The tag and the length of a field, without its content."""
    length = bytes([size >> shift & 127 | (128 if shift < 28 else 0) for shift in (0, 7, 14, 21, 28)])
    return bytes([number << 3 | 2]) + length


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB, and holes in files are free, on Linux")
def test_the_bytes_of_a_weight_are_never_touched(tmp_path: Path) -> None:
    path, hole = tmp_path / "hole.onnx", 200 << 20
    head = TensorProto(name="w", data_type=FLOAT, dims=[hole // 4]).SerializeToString() + long_field(9, hole)
    tail = field(1, onnx.NodeProto(op_type="Relu").SerializeToString())
    weight = long_field(5, len(head) + hole) + head
    with path.open("wb") as file:
        file.write(long_field(7, len(weight) + hole + len(tail)) + weight)
        file.seek(hole, os.SEEK_CUR)
        file.write(tail)
    output = subprocess.run([sys.executable, "-c", SPARSE_PEAK, path], capture_output=True, text=True, check=True)
    dims, kibibytes = output.stdout.rsplit(maxsplit=1)
    assert dims == f"({hole // 4},)"
    assert int(kibibytes) < 4096


# Real models, cut off and mutated


def sample(shared: Path) -> list[Path]:
    files = sorted(path for path in (shared / "models").rglob("*.onnx") if "bad" not in path.name)
    return files[::7]


def tensor_facts(tensor: TensorProto) -> tuple[str, str, tuple[int, ...]]:
    return tensor.name, ELEMENTS[tensor.data_type].name, tuple(tensor.dims)


def test_shared_models_read_as_onnx_reads_them(shared: Path) -> None:
    for path in sample(shared):
        graph, record = onnx.load(path, load_external_data=False).graph, read_model(path).graph
        assert [(n.op_type, n.name, n.inputs, n.outputs, list(n.attributes)) for n in record.nodes] == [
            (n.op_type, n.name, tuple(n.input), tuple(n.output), [a.name for a in n.attribute]) for n in graph.node
        ], path
        assert [(t.name, t.dtype, t.dims) for t in record.initializers] == [*map(tensor_facts, graph.initializer)], path
        assert [v.name for v in record.value_info] == [v.name for v in graph.value_info], path


def test_a_cut_model_is_refused_with_what_is_missing(shared: Path) -> None:
    path = shared / "models" / "bad_truncated.onnx"
    with pytest.raises(ModelError) as refusal:
        read_model(path)
    assert str(refusal.value) == (
        f"cannot read {path}: field 'graph' says 68,273 bytes, but only 34,127 are left (is the file cut off?)"
    )


def mutated(content: bytes, chance: random.Random) -> bytes:
    """The content cut off, or with a few bytes changed, or with a run of bytes moved."""
    changed = bytearray(content)
    kind = chance.randrange(3)
    if kind == 0:
        del changed[chance.randrange(len(changed)) :]
    for _ in range(chance.randrange(1, 9) if kind == 1 else 0):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    if kind == 2:
        start = chance.randrange(len(changed))
        del changed[start : start + chance.randrange(1, 64)]
    return bytes(changed)


def rich_model() -> bytes:
    """A model with a bit of everything, so that mutations reach every reader."""
    body = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "body", [value("x", ["n"])], [value("y")])
    nodes = [
        helper.make_node("If", ["c"], ["z"], then_branch=body, else_branch=body),
        helper.make_node("Op", ["z"], ["y"], domain="custom", a=[1, 2], b=[0.5], c="text", d=["s"]),
    ]
    tensors = [helper.make_tensor(f"t{number}", number, [4], [1, 0, 1, 1]) for number in DTYPES]
    sparse = helper.make_sparse_tensor(tensors[0], helper.make_tensor("i", INT64, [4], [0, 2, 3, 4]), [10])
    function = helper.make_function("custom", "F", ["x"], ["y"], nodes, [helper.make_opsetid("", 21)], ["alpha"])
    model = model_of(nodes, tensors, [function], sparse_initializer=[sparse])
    return bytes(model.SerializeToString())


def test_mutated_models_are_read_or_refused_but_never_break_the_reader() -> None:
    content = rich_model()
    for seed in range(1000):
        try:
            read_model(mutated(content, random.Random(seed)))
        except ModelError as error:
            assert str(error).count("\n") == 0, seed
            assert len(str(error)) < 300, seed
