"""A fit as TOML: the tables that `graphcost.device_fit` reads."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import TypeAlias

import numpy as np

from graphcost.device import DeviceProfile
from graphcost.device_fit import PRIOR
from graphcost.files import write_atomic
from graphcost.measurements import Measurement

from .result import FitResult, PrecisionFit
from .solve import LeftOut

Parameters: TypeAlias = "Callable[[PrecisionFit], Mapping[str, float]]"

_ENOUGH_ARCHITECTURES = 3

_HEADER = "# Written by `graphcost fit`; the equations are in docs/latency.md. Do not edit: fit again."


def write_device(result: FitResult, base: DeviceProfile, path: Path) -> None:
    """One device's file: it inherits `base` and carries what was fitted."""
    tables = [f"inherits = {json.dumps(base.reference)}", f"title = {json.dumps(base.title + ', fitted')}"]
    tables += _tables(result, result.devices, lambda fit: fit.of_board(fit.grouped.groups[0].device.id))
    write_atomic(path, "\n".join([_HEADER, *tables]) + "\n")


def write_shipped(result: FitResult, folder: Path) -> list[Path]:
    """A file for all devices, for each architecture and for each device; none where there is nothing to say, as of all
    devices from two architectures. Their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {PRIOR: _tables(result, result.devices, _of_all)}
    for architecture in result.architectures:
        members = [g.device.id for fit in result.fits for g in fit.grouped.groups if g.architecture == architecture]
        texts[architecture] = _tables(result, members, partial(_of_architecture, architecture))
    for device in result.devices:
        texts[device] = _tables(result, [device], partial(_of_board, device))
    said = {folder / f"{name}.toml": tables for name, tables in texts.items() if any(map(_is_fitted, tables))}
    for path, tables in said.items():
        write_atomic(path, "\n".join([_HEADER, *tables]) + "\n")
    return list(said)


def _is_fitted(line: str) -> bool:
    return line.startswith("[fitted.")


def _of_all(fit: PrecisionFit) -> Mapping[str, float]:
    """What is shared speaks for other architectures only where several have been measured."""
    return fit.of_all() if len({g.architecture for g in fit.grouped.groups}) >= _ENOUGH_ARCHITECTURES else {}


def _of_architecture(architecture: str, fit: PrecisionFit) -> Mapping[str, float]:
    known = {group.architecture for group in fit.grouped.groups}
    return fit.of_architecture(architecture) if architecture in known else {}


def _of_board(device: str, fit: PrecisionFit) -> Mapping[str, float]:
    return fit.of_board(device) if fit.rows_of(device) else {}


def _tables(result: FitResult, devices: Sequence[str], parameters: Parameters) -> list[str]:
    lines: list[str] = []
    for fit in result.fits:
        values = parameters(fit)
        rows = [row for device in sorted(set(devices)) for row in fit.rows_of(device)]
        if values:
            lines += ["", f"[fitted.{fit.precision}]", f"rows = {len(rows)}"]
            lines += [f"{name} = {value:.4g}" for name, value in values.items()]
            lines += _largest(fit, devices)
    return [*lines, *_intervals(result, devices), *_provenance(result, devices)]


def _largest(fit: PrecisionFit, devices: Sequence[str]) -> list[str]:
    sizes = [f"{name} = {size:.0f}" for name, size in fit.largest_behind(devices).items()]
    return ["", f"[largest.{fit.precision}]", *sizes] if sizes else []


def _intervals(result: FitResult, devices: Sequence[str]) -> list[str]:
    """The interval of networks, the widest of these devices; a kernel's is the square of it: errors of kernels partly
    cancel in a network (inferred: kernels were not measured one by one)."""
    known = [pair for device, pair in result.factors().items() if device in devices and pair is not None]
    if not known:
        return []
    low, high = min(pair[0] for pair in known), max(pair[1] for pair in known)
    return ["", "[intervals]", f"total = [{low:.4g}, {high:.4g}]", f"kernel = [{low**2:.4g}, {high**2:.4g}]"]


def _provenance(result: FitResult, devices: Sequence[str]) -> list[str]:
    rows = [row for fit in result.fits for device in sorted(set(devices)) for row in fit.rows_of(device)]
    found = [one for one in result.left_out if one.board in set(devices)]
    far = [one for one in result.outliers() if one.board in set(devices)]
    return [
        "",
        "[provenance]",
        f"date = {json.dumps(date.today().isoformat())}",
        f"sources = {json.dumps(sorted({row.source for row in rows if row.source}))}",
        f"families = {json.dumps(sorted({row.family or row.network for row in rows}))}",
        *_errors(found),
        f"outliers = {json.dumps(sorted({_named(one.row) for one in far})[:20])}",
    ]


def _errors(found: Sequence[LeftOut]) -> list[str]:
    """Errors of rows whose family was left out of the fit, what hosts add included."""
    if not found:
        return []
    errors = np.abs([1 / one.ratio - 1 for one in found]) * 100
    return [
        f"left_out_rows = {len(found)}",
        f"left_out_median_percent = {np.median(errors):.1f}",
        f"left_out_mape_percent = {errors.mean():.1f}",
        f"left_out_worst_percent = {errors.max():.1f}",
    ]


def _named(row: Measurement) -> str:
    return " ".join(part for part in (row.device, row.precision, row.network, row.shapes.rpartition(":")[2]) if part)
