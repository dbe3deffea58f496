"""Single operators: where an architecture's convolutions were measured one by one, they are known better than from
whole networks. Physics of tiles, waves and memory (`physics`), times a residual learned on features without a scale
(`features`, `trees`); parameters and residuals are data (`fitted/`), written by tools/fit_operators.py."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent / "fitted"
"""What was fitted, a file for each architecture that was measured."""
