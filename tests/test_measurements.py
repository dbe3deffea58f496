"""Measurements: the common form, profiles, generated models, folds, and the kernels that were timed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from onnx_models import conv_net

from graphcost.errors import DataError, ModelError, UnknownName, UsageError, UserError
from graphcost.measurements import (
    Measurement,
    families_or_parts,
    folds,
    load_generator,
    queries_of_measurement,
    read_measurements,
    read_profile,
    timed_kernels,
)

MODELS = Path(__file__).parent.parent / "examples" / "models"
PROFILE = MODELS.parent / "engines" / "resnet18_rtx3060-laptop_fp16.profile.json"
HEADER = "device,power_mode,runtime,precision,batch,model,shapes,scope,layer,latency_ms,measure,source,family,use"
ROW = "nano,MAXN,tensorrt-8.2,fp16,1,resnet18.onnx,,network,,12.5,compute,somebody,resnet,bar"


def read(folder: Path, *lines: str, header: str = HEADER, generator=None) -> list[Measurement]:
    file = folder / "data.csv"
    file.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return read_measurements(file, MODELS, generator)


@pytest.mark.parametrize("damage", [lambda data: data[:-12], lambda data: data[:30] + b"\xff\xff" + data[32:]])
def test_a_damaged_gzip_file_is_refused(tmp_path, damage):
    whole = gzip.compress("\n".join([HEADER, *[ROW] * 50]).encode())
    (tmp_path / "data.csv.gz").write_bytes(damage(whole))
    with pytest.raises(DataError, match="gz is no whole gzip file"):
        read_measurements(tmp_path / "data.csv.gz", MODELS)


def test_a_table_without_rows_is_refused(tmp_path):
    with pytest.raises(DataError, match="data.csv has no rows"):
        read(tmp_path)


def test_a_row_says_what_was_timed_on_what_and_how(tmp_path):
    (row,) = read(tmp_path, ROW)
    assert (row.device_spec, row.runtime, row.precision, row.batch) == ("nano@MAXN", "tensorrt-8.2", "fp16", 1)
    assert (row.latency_ms, row.measure, row.family, row.scope) == (12.5, "compute", "resnet", "network")
    assert (row.network, row.where) == ("resnet18", "data.csv, line 2")


def test_what_is_not_stated_is_empty_and_unknown_columns_are_ignored(tmp_path):
    (row,) = read(tmp_path, "12.5,moon,resnet18.onnx,fp16,nano", header="latency_ms,weather,model,precision,device")
    assert (row.power_mode, row.runtime, row.batch, row.measure, row.shapes) == ("", "", None, "", "")
    assert row.device_spec == "nano"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("12.5", "fast"), "line 2, latency_ms: 'fast' is not a number of milliseconds above 0"),
        (("12.5", "0"), "line 2, latency_ms: '0' is not a number"),
        (("12.5", "nan"), "line 2, latency_ms: 'nan' is not a number"),
        (("fp16", "fp15"), "line 2, precision: unknown precision 'fp15'"),
        ((",1,", ",one,"), "line 2, batch: 'one' is not a whole number from 1"),
        (("compute", "guess"), "line 2, measure: 'guess' is not one of compute, with_copies"),
        (("network,", "galaxy,"), "line 2, scope: 'galaxy' is not one of network, layer"),
        (("network,", "layer,"), "line 2: scope is layer, but column layer is empty"),
        (("nano,", ","), "line 2, device: empty"),
    ],
)
def test_a_wrong_cell_is_refused_with_its_line_and_column(tmp_path, change, sentence):
    with pytest.raises(DataError, match=sentence.replace("(", r"\(")):
        read(tmp_path, ROW.replace(*change, 1))


def test_a_model_that_is_not_there_is_refused_with_its_line(tmp_path):
    with pytest.raises(ModelError, match=r"line 2, model: no file .*nobody.onnx.*--models DIR"):
        read(tmp_path, ROW.replace("resnet18.onnx", "nobody.onnx"))


def test_a_table_without_a_needed_column_is_refused(tmp_path):
    with pytest.raises(DataError, match="no column precision, latency_ms"):
        read(tmp_path, "nano,x.onnx", header="device,model")


def test_a_device_or_a_size_that_does_not_fit_is_refused_with_its_line(tmp_path):
    (row,) = read(tmp_path, ROW.replace("nano,", "banana,", 1))
    with pytest.raises(UserError, match="data.csv, line 2: unknown device 'banana'"):
        queries_of_measurement(row)


def test_the_kernels_of_a_row_are_those_of_an_analysis(tmp_path):
    import graphcost

    (row,) = read(tmp_path, ROW)
    report = graphcost.analyze(MODELS / "resnet18.onnx", "nano@MAXN", runtime="tensorrt-8.2", precision="fp16")
    queries = queries_of_measurement(row)
    assert [(q.op, q.work.macs) for q in queries] == [(k.op, k.macs) for k in report.kernels]


def test_kernels_are_kept_and_boards_of_one_architecture_share_those_before_selection(tmp_path):
    nx, agx = read(tmp_path, ROW.replace("nano,MAXN", "xavier-nx,"), ROW.replace("nano,MAXN", "agx-xavier,"))
    assert timed_kernels(nx, decided=False).queries is timed_kernels(agx, decided=False).queries
    assert timed_kernels(nx).queries is timed_kernels(nx).queries
    assert timed_kernels(agx, decided=False).device.id == "agx-xavier"


def test_a_layer_is_the_kernel_made_of_its_nodes(tmp_path):
    timed = timed_kernels(read(tmp_path, ROW)[0])
    fused = next(i for i, origin in enumerate(timed.origins) if len(origin) == 2)
    layer = " + ".join(sorted(timed.origins[fused]))
    (row,) = read(tmp_path, ROW.replace("network,", f"layer,{layer}"))
    assert queries_of_measurement(row) == [timed.queries[fused]]


def test_a_layer_that_is_only_a_part_of_a_kernel_is_refused(tmp_path):
    timed = timed_kernels(read(tmp_path, ROW)[0])
    part = min(next(origin for origin in timed.origins if len(origin) == 2))
    (row,) = read(tmp_path, ROW.replace("network,", f"layer,{part}"))
    with pytest.raises(UsageError, match="share a kernel with"):
        queries_of_measurement(row)


def test_a_layer_of_which_no_node_exists_is_refused(tmp_path):
    (row,) = read(tmp_path, ROW.replace("network,", "layer,nobody"))
    with pytest.raises(UsageError, match="no kernel holds the node 'nobody'"):
        queries_of_measurement(row)


def test_a_generator_makes_the_model_of_a_row_without_a_file(tmp_path):
    (tmp_path / "make.py").write_text("def model_of(row):\n    return bytes.fromhex(row['hex'])\n")
    generator = load_generator(tmp_path / "make.py")
    line = ROW.replace("resnet18.onnx", "-") + "," + conv_net().SerializeToString().hex()
    (row,) = read(tmp_path, line, header=HEADER + ",hex", generator=generator)
    assert "conv" in {query.kind for query in queries_of_measurement(row)}
    (bare,) = read(tmp_path, line, header=HEADER + ",hex")
    with pytest.raises(UserError, match="line 2: model: '-' is made by a generator, and none was given"):
        queries_of_measurement(bare)


def test_a_generator_that_is_no_python_file_is_refused(tmp_path):
    (tmp_path / "make.txt").write_text("def model_of(row): ...\n")
    for name in ("make.txt", "nobody.py"):
        with pytest.raises(UsageError, match="is no Python file"):
            load_generator(tmp_path / name)


def test_a_generator_file_without_the_function_is_refused(tmp_path):
    (tmp_path / "make.py").write_text("other = 1\n")
    with pytest.raises(UsageError, match="defines no function model_of or build_row"):
        load_generator(tmp_path / "make.py")


def test_folds_keep_families_together_and_leave_each_out_once(tmp_path):
    rows = read(tmp_path, ROW, ROW.replace("resnet,", "vgg,"), ROW.replace("12.5", "13"))
    made = folds(rows)
    assert [fold.left_out for fold in made] == ["resnet", "vgg"]
    assert [(len(fold.train), len(fold.test)) for fold in made] == [(1, 2), (2, 1)]
    assert not set(made[0].train) & set(made[0].test)
    with pytest.raises(UnknownName, match="group of folds 'moon'"):
        folds(rows, "moon")


def test_the_only_family_of_a_source_is_dealt_into_parts_when_it_is_large(tmp_path):
    few, many = (read(tmp_path, *[ROW] * rows) for rows in (24, 26))
    assert set(families_or_parts(few)) == {"resnet"}
    names = families_or_parts(many)
    assert names[:5] == ["resnet, part 1", "resnet, part 2", "resnet, part 3", "resnet, part 4", "resnet, part 1"]
    assert [len(fold.test) for fold in folds(many)] == [7, 7, 6, 6]
    assert set(families_or_parts([*many, *read(tmp_path, ROW.replace("resnet,", "vgg,"))])) == {"resnet", "vgg"}


def test_layers_of_a_profile_are_measurements_of_the_nodes_of_their_kernels():
    found = read_profile(PROFILE, MODELS / "resnet18.onnx", "rtx3060-laptop", precision="fp16", batch=1)
    entries = {entry["name"]: entry for entry in json.loads(PROFILE.read_text()) if "name" in entry}
    assert len(found.rows) + len(found.left_out) == len(entries)
    for row in found.rows:
        name = row.where.removeprefix(f"{PROFILE.name}, ")
        assert (row.scope, row.measure, row.device_spec) == ("layer", "profile", "rtx3060-laptop")
        assert row.latency_ms == pytest.approx(entries[name].get("medianMs", entries[name].get("averageMs")))
        assert "/" not in name or set(name.split(" + ")) <= set(row.layers)
        assert len(queries_of_measurement(row)) == 1


def test_layers_that_stand_for_no_kernel_are_left_out_by_name(tmp_path):
    times = {
        "/conv1/Conv + /relu/Relu": 0.1,
        "nobody": 2.0,
        "/maxpool/MaxPool": 0.0,
        "/layer1/layer1.0/conv1/Conv": 1.0,
        "/layer1/layer1.0/relu/Relu": 1.0,
        "Reformatting CopyNode for Input Tensor 0 to /fc/Gemm": 0.1,
    }
    entries = [{"count": 9}, *({"name": name, "averageMs": ms} for name, ms in times.items())]
    (tmp_path / "p.json").write_text(json.dumps(entries))
    found = read_profile(tmp_path / "p.json", MODELS / "resnet18.onnx", "nano", precision="fp16")
    assert [row.where for row in found.rows] == ["p.json, /conv1/Conv + /relu/Relu"]
    reasons = dict(found.left_out)
    assert reasons["/maxpool/MaxPool"] == "no time"
    assert reasons["/layer1/layer1.0/conv1/Conv"] == "merged differently than predicted"
    assert reasons["nobody"] == "nothing like it is predicted"
    assert reasons["Reformatting CopyNode for Input Tensor 0 to /fc/Gemm"] == "one of the reformats"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{}", "is no profile of trtexec"),
        ("[{", "is not JSON"),
        ('[{"count": 1}, {"name": "a"}]', "expected a list of layers with name and averageMs"),
        ('[{"name": "a", "averageMs": -3}]', "the time of 'a' is no number of milliseconds from 0"),
        ('[{"name": "a", "averageMs": NaN}]', "the time of 'a' is no number of milliseconds from 0"),
    ],
)
def test_what_is_no_profile_is_refused(tmp_path, text, sentence):
    (tmp_path / "p.json").write_text(text)
    with pytest.raises(ModelError, match=sentence):
        read_profile(tmp_path / "p.json", MODELS / "resnet18.onnx", "nano", precision="fp16")


def test_the_shared_rows_can_be_read_and_their_kernels_found(shared):
    rows = read_measurements(shared / "data/latency/jetson_networks.csv", shared / "models")
    assert len(rows) == 395
    assert len(folds([r for r in rows if r.use == "bar"])) > 5
    netspresso = [r for r in rows if "netspresso" in r.source.lower() and r.device == "nano"]
    assert all(queries_of_measurement(row, decided=False) for row in netspresso[:4])
