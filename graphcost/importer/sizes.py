"""Which sizes the inputs get: what the user asked for (`--shapes`, `--dim`, `--batch`) and what the file declares."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from graphcost.errors import UnknownName, UsageError
from graphcost.importer.expressions import evaluate, solve, symbols_of
from graphcost.importer.records import DimRecord

Dims = tuple[int, ...]
Declared = Mapping[str, "tuple[DimRecord, ...] | None"]

_SHAPE = re.compile(
    r"\s*(?P<name>[^,;]*?)\s*[:=]\s*(?:\[(?P<list>[^\]]*)\]|(?P<dims>\d+(?:[x,]\s*\d+)*(?![\w:=]))|(?P<scalar>scalar))\s*(?:,(?=.)|$)"
)
_BARE = re.compile(r"\d+(?:x\d+)*|\[[\d,\s]*\]")
_BATCH_NAME = re.compile(r"(n|b|bs|batch\w*|\w*batch|\w*batch_size)", re.IGNORECASE)
_FORMS = "NAME:1x3x224x224, NAME:[1,3,224,224] or NAME=1,3,224,224"


@dataclass(frozen=True)
class Sizes:
    """What the user asked for."""

    shapes: Mapping[str, Dims] = field(default_factory=dict)
    dims: Mapping[str, int] = field(default_factory=dict)
    batch: int | None = None


@dataclass(frozen=True)
class Chosen:
    """The sizes of all inputs. `overridden` are those whose file declares other numbers: the constants of the graph
    may hold the old ones. `symbols` is what each symbol stands for; `declared_symbols` are those of the file, `loose`
    those for which nothing but 1 was found."""

    inputs: Mapping[str, Dims | None]
    overridden: Mapping[str, Dims]
    symbols: Mapping[str, int]
    declared_symbols: tuple[str, ...]
    loose: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def known_inputs(self) -> dict[str, Dims]:
        """The sizes of the inputs whose rank is known."""
        return {name: dims for name, dims in self.inputs.items() if dims is not None}


def parse_sizes(
    shapes: Iterable[str] | Mapping[str, Sequence[int]] = (),
    dims: Iterable[str] | Mapping[str, int] = (),
    batch: int | None = None,
) -> Sizes:
    """Sizes from what a user types. Raises UsageError with the forms that are accepted."""
    if batch is not None and batch < 1:
        raise UsageError(f"batch {batch} is not a batch; give 1 or more")
    if isinstance(shapes, Mapping):
        wanted = {name: tuple(given) for name, given in shapes.items()}
    else:
        wanted = {name: given for text in shapes for name, given in _parse_shapes(text)}
    if isinstance(dims, Mapping):
        return Sizes(wanted, dict(dims), batch)
    return Sizes(wanted, dict(_parse_dim(text) for text in dims), batch)


def _parse_shapes(text: str) -> list[tuple[str, Dims]]:
    """`x:1x3x224x224,y:[1,5]`, `x=1,3,224,224`; without a name for a model that has one input."""
    if _BARE.fullmatch(text.strip()):
        return [("", _numbers(text))]
    found, at = [], 0
    while at < len(text):
        match = _SHAPE.match(text, at)
        if match is None or not match["name"]:
            raise UsageError(f"cannot read shape '{text[at:]}'; write {_FORMS}")
        found.append((match["name"], _numbers(match["list"] or match["dims"] or "")))
        at = match.end()
    return found


def _numbers(text: str) -> Dims:
    return tuple(int(number) for number in re.findall(r"\d+", text))


def _parse_dim(text: str) -> tuple[str, int]:
    name, _, value = text.rpartition("=")
    if not name or not value.strip().isdigit():
        raise UsageError(f"cannot read dim '{text}'; write NAME=NUMBER, such as seq=128")
    return name.strip(), int(value)


def choose(declared: Declared, sizes: Sizes) -> Chosen:
    """The size of every input. A symbol without a value is 1, and a warning names it."""
    shapes = _named_shapes(declared, sizes)
    symbols = _bind_symbols(declared, shapes, sizes)
    loose = _loose_symbols(declared, symbols)
    warnings = [f"dimension '{name}' has no value: 1 is taken (give --dim {name}=…)" for name in loose]
    bound = {**symbols, **dict.fromkeys(loose, 1)}
    inputs = {name: _dims_of(dims, shapes.get(name), bound) for name, dims in declared.items()}
    _apply_batch(declared, inputs, sizes.batch, shapes)
    warnings += _nameless(declared, shapes)
    overridden = {n: d for n, d in inputs.items() if d is not None and _differs(declared[n], d, bound)}
    return Chosen(inputs, overridden, bound, _declared_symbols(declared), tuple(loose), tuple(warnings))


def _named_shapes(declared: Declared, sizes: Sizes) -> dict[str, Dims]:
    shapes = dict(sizes.shapes)
    if "" in shapes:
        if len(declared) != 1:
            raise UsageError(f"a shape without a name needs a model with one input; this one has {', '.join(declared)}")
        shapes[next(iter(declared))] = shapes.pop("")
    for name, given in shapes.items():
        if name not in declared:
            raise UnknownName("input", name, list(declared))
        dims = declared[name]
        if dims is not None and len(dims) != len(given):
            raise UsageError(f"input '{name}' has {len(dims)} dimensions ({_spell(dims)}), not {len(given)}")
    return shapes


def _bind_symbols(declared: Declared, shapes: Mapping[str, Dims], sizes: Sizes) -> dict[str, int]:
    """Symbols from --dim, then from --shapes (solving expressions such as `16*h16`), then from --batch."""
    symbols = dict(sizes.dims)
    for name, given in shapes.items():
        for dim, value in zip(declared[name] or (), given):
            if isinstance(dim, str):
                _bind(dim, value, symbols, name)
    if sizes.batch is not None:
        for dim in _batch_symbols(declared, shapes):
            _bind(dim, sizes.batch, symbols, "--batch")
    return symbols


def _bind(dim: str, value: int, symbols: dict[str, int], where: str) -> None:
    free = [symbol for symbol in symbols_of(dim) if symbol not in symbols]
    if not free:
        if (known := evaluate(dim, symbols)) is not None and known != value:
            raise UsageError(f"{where}: dimension '{dim}' is {known} elsewhere, but {value} here")
        return
    if len(free) > 1 or (solution := solve(dim, free[0], value, symbols)) is None:
        raise UsageError(f"{where}: no value of {', '.join(free)} makes '{dim}' {value}; give --dim {free[0]}=…")
    symbols[free[0]] = solution


def _batch_symbols(declared: Declared, shapes: Mapping[str, Dims]) -> list[str]:
    """The symbols that stand for the batch: those called so, else the leading ones."""
    symbols = [d for name, dims in declared.items() if name not in shapes for d in dims or () if isinstance(d, str)]
    named = [symbol for symbol in symbols if _BATCH_NAME.fullmatch(symbol)]
    leading = [dims[0] for dims in declared.values() if dims and isinstance(dims[0], str)]
    return list(dict.fromkeys(named or leading))


def _loose_symbols(declared: Declared, symbols: Mapping[str, int]) -> list[str]:
    return [symbol for symbol in _declared_symbols(declared) if symbol not in symbols]


def _declared_symbols(declared: Declared) -> tuple[str, ...]:
    found = [s for dims in declared.values() for d in dims or () if isinstance(d, str) for s in symbols_of(d)]
    return tuple(dict.fromkeys(found))


def _dims_of(declared: tuple[DimRecord, ...] | None, given: Dims | None, symbols: Mapping[str, int]) -> Dims | None:
    if given is not None or declared is None:
        return given
    return tuple(_size(dim, symbols) for dim in declared)


def _size(dim: DimRecord, symbols: Mapping[str, int]) -> int:
    if isinstance(dim, str):
        found = evaluate(dim, symbols)
        return 1 if found is None else max(found, 0)
    return dim if dim is not None and dim >= 0 else 1


def _apply_batch(
    declared: Declared, inputs: dict[str, Dims | None], batch: int | None, shapes: Mapping[str, Dims]
) -> None:
    """Put the batch into the leading dimension of the inputs that have a number there: of those that have the same as
    the first input, since an input may also be a table that knows no batch."""
    if batch is None or _batch_symbols(declared, shapes):
        return
    leading = [dims[0] for name, dims in inputs.items() if dims and name not in shapes]
    for name, dims in inputs.items():
        if dims and name not in shapes and dims[0] == leading[0]:
            inputs[name] = (batch, *dims[1:])


def _nameless(declared: Declared, shapes: Mapping[str, Dims]) -> list[str]:
    """Dimensions that the file leaves open without even a name."""
    return [
        f"input '{name}' leaves dimension {axis} open: 1 is taken (give --shapes {name}:…)"
        for name, dims in declared.items()
        if name not in shapes
        for axis, dim in enumerate(dims or ())
        if dim is None or (isinstance(dim, int) and dim < 0)
    ]


def _differs(declared: tuple[DimRecord, ...] | None, chosen: Dims, symbols: Mapping[str, int]) -> bool:
    return any(isinstance(dim, int) and dim >= 0 and dim != size for dim, size in zip(declared or (), chosen))


def _spell(dims: tuple[DimRecord, ...]) -> str:
    return "x".join("?" if dim is None else str(dim) for dim in dims) or "scalar"
