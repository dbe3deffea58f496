"""Thresholds: what breaks a build, what passes, and what cannot be told."""

from __future__ import annotations

import pytest
from sample_reports import MIB, make_kernel, make_report, rich_report

from graphcost.errors import UnknownName, UsageError
from graphcost.gate import METRICS, Outcome, check, check_coverage, exit_code, parse_gate, parse_gates, parse_share
from graphcost.report import Coverage


def outcome(text, report, before=None):
    return check([parse_gate(text)], report, before)[0].outcome


@pytest.fixture(scope="module")
def report():
    """10 ms, 51.0625 MiB."""
    return make_report([make_kernel("a", 10.0)])


@pytest.mark.parametrize(
    ("text", "metric", "limit"),
    [
        ("latency>30ms", "latency_ms", 30.0),
        ("latency > 0.03 s", "latency_ms", 30.0),
        ("latency_high>=500us", "latency_high_ms", 0.5),
        ("latency>.5ms", "latency_ms", 0.5),
        ("latency_ms>30", "latency_ms", 30.0),
        ("peak_memory>1GiB", "total_memory_bytes", 2**30),
        ("activations>1.5MB", "peak_activation_bytes", 1.5e6),
        ("macs>4G", "macs", 4e9),
        ("kernels>100", "kernels", 100),
        ("throughput<60", "inferences_per_s", 60),
        ("coverage<95%", "coverage.nodes", 0.95),
        ("coverage.bytes<0.95", "coverage.bytes", 0.95),
        ("training_peak>1GiB", "training.peak_allocated_bytes", 2**30),
        ("step>2s", "training.step_ms", 2000),
        ("training.fits_probability<95%", "training.fits_probability", 0.95),
    ],
)
def test_a_threshold_is_a_metric_a_comparison_and_a_value_with_a_unit(text, metric, limit):
    gate = parse_gate(text)
    assert (gate.metric, gate.limit, gate.relative) == (metric, pytest.approx(limit, rel=1e-12), None)


def test_a_percentage_is_exact():
    assert parse_gate("coverage<95%").limit == 0.95


@pytest.mark.parametrize(
    ("text", "limit", "relative"),
    [
        ("latency>+5%", 0.05, "part"),
        ("latency>5%", 0.05, "part"),
        ("throughput<-5%", -0.05, "part"),
        ("peak_memory>+1MiB", MIB, "amount"),
        ("coverage<-1%", -0.01, "amount"),
    ],
)
def test_a_sign_or_a_percentage_bounds_the_change(text, limit, relative):
    gate = parse_gate(text)
    assert (gate.limit, gate.relative) == (limit, relative)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("latency", "is not METRIC > VALUE UNIT"),
        ("latency=5ms", "is not METRIC > VALUE UNIT"),
        ("latency>fast", "is not METRIC > VALUE UNIT"),
        ("latency>5", None),  # in the unit of the metric: ms
        ("latency>5MiB", "latency_ms takes ms, us, µs, s, not 'MiB'"),
        ("peak_memory>5ms", "total_memory_bytes takes B, kB"),
        ("coverage<95", "up to 100 %"),
        ("lattency>5ms", "did you mean latency"),
        ("zzz>5ms", "accepted: latency"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_would_be_accepted(text, sentence):
    if sentence is None:
        assert parse_gate(text).limit == 5
        return
    with pytest.raises(UsageError) as caught:
        parse_gate(text)
    assert sentence in str(caught.value)


def test_every_number_of_the_totals_is_a_metric(report):
    for metric in METRICS:
        assert outcome(f"{metric}>=0", report) in (Outcome.BROKEN, Outcome.CANNOT_TELL)
    with pytest.raises(UnknownName):
        parse_gate("coverage.colour>1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("latency>9.99ms", Outcome.BROKEN),
        ("latency>10ms", Outcome.PASSED),
        ("latency>=10ms", Outcome.BROKEN),
        ("latency<10ms", Outcome.PASSED),
        ("latency<=10ms", Outcome.BROKEN),
        ("peak_memory>51MiB", Outcome.BROKEN),
        ("peak_memory>52MiB", Outcome.PASSED),
        ("workspace>1GiB", Outcome.CANNOT_TELL),
    ],
)
def test_a_threshold_is_broken_when_what_it_says_holds(report, text, expected):
    assert outcome(text, report) is expected


def test_unknown_never_passes():
    assert outcome("latency>1s", rich_report()) is Outcome.CANNOT_TELL
    without_device = make_report([make_kernel("a", None)], device=None)
    verdict = check([parse_gate("latency>1s")], without_device)[0]
    assert verdict.sentence == "cannot tell whether 'latency>1s': latency_ms is unknown (no device was given)"


def test_cannot_tell_outranks_broken_outranks_passed(report):
    texts = ["latency>100ms", "latency>1ms", "workspace>1GiB"]
    verdicts = check(parse_gates(texts, compares=False), report)
    assert [exit_code(verdicts[:n]) for n in range(4)] == [0, 0, 1, 4]


def test_a_change_is_measured_against_the_report_before(report):
    slower = make_report([make_kernel("a", 10.6)])
    assert outcome("latency>+5%", slower, report) is Outcome.BROKEN
    assert outcome("latency>+7%", slower, report) is Outcome.PASSED
    assert outcome("latency>+0.5ms", slower, report) is Outcome.BROKEN
    assert outcome("latency>10.5ms", slower, report) is Outcome.BROKEN
    assert outcome("throughput<-5%", slower, report) is Outcome.BROKEN
    assert outcome("latency>+5%", report, slower) is Outcome.PASSED


def test_a_change_from_nothing_is_infinite_and_from_the_unknown_unknown():
    nothing, something = make_report([make_kernel("a", 1.0, macs=0)]), make_report([make_kernel("a", 1.0)])
    assert outcome("macs>+100%", something, nothing) is Outcome.BROKEN
    assert outcome("macs>+100%", nothing, nothing) is Outcome.PASSED
    unknown = make_report([make_kernel("a", None)])
    assert outcome("latency>+5%", something, unknown) is Outcome.CANNOT_TELL


def test_without_a_comparison_a_bounded_change_is_a_usage_error():
    with pytest.raises(UsageError, match="graphcost diff"):
        parse_gates(["latency>+5%"], compares=False)


def test_the_sentence_of_a_broken_threshold_has_the_figure_and_the_threshold(report):
    assert check([parse_gate("latency>3ms")], report)[0].sentence == (
        "latency_ms = 10.00 ms breaks the threshold 'latency>3ms'"
    )
    slower = make_report([make_kernel("a", 11.0)])
    assert check([parse_gate("latency>+5%")], slower, report)[0].sentence == (
        "latency_ms changed by +10.00%: 10.00 ms → 11.00 ms breaks the threshold 'latency>+5%'"
    )


@pytest.mark.parametrize(("text", "part"), [("95%", 0.95), ("0.95", 0.95), ("95", 0.95), ("1", 1.0), ("100%", 1.0)])
def test_a_coverage_can_be_written_as_a_share_or_a_percentage(text, part):
    assert parse_share(text) == part


@pytest.mark.parametrize("text", ["", "most", "-5%", "101%", "1e9"])
def test_what_is_no_share_is_refused(text):
    with pytest.raises(UsageError, match="is not a share"):
        parse_share(text)


def test_coverage_is_judged_by_its_smaller_half():
    report = make_report([make_kernel()], totals={"coverage": Coverage(0.99, 0.40)})
    assert check_coverage(0.4, report).outcome is Outcome.PASSED
    assert check_coverage(0.9, report).outcome is Outcome.CANNOT_TELL


def test_figures_of_a_step_are_unknown_in_the_report_of_an_inference(report):
    assert outcome("training_peak>1B", report) is Outcome.CANNOT_TELL
