"""What the system sees of a training process, and whether it fits."""

from __future__ import annotations

import math

from graphcost.device import DeviceProfile

from .allocation import Reservation

CACHED_WORKSPACES = 2.45
"""How many of the largest workspace PyTorch's allocator holds beside what the steps themselves need: cuDNN asks for
them at the first steps in other sizes. Fitted to the system memory of measured steps on a Jetson TX2, PyTorch 1.6."""

ERROR = 0.09
"""Standard deviation of measured / predicted system memory over the same steps, each network left out of the fit in
turn."""


def system_bytes(reserved: Reservation, workspace_bytes: int, device: DeviceProfile | None) -> int | None:
    """Context, reserved segments and cached workspaces; None where the context of the device is not known. A process
    near the limit gives its cache back, so it is never seen to use more than there is unless its tensors do."""
    if device is None or device.pytorch_context_bytes is None:
        return None
    needed = device.pytorch_context_bytes + reserved.peak_reserved_bytes
    wanted = needed + int(CACHED_WORKSPACES * workspace_bytes)
    limit = device.usable_ram_bytes
    least = device.pytorch_context_bytes + reserved.peak_allocated_bytes
    return wanted if limit is None else max(min(wanted, limit), least)


def fits_probability(system: int | None, device: DeviceProfile | None) -> float | None:
    """The chance that a step fits in the memory that can be used: the error of the prediction is taken as normal."""
    limit = None if device is None else device.usable_ram_bytes
    if system is None or not limit:
        return None
    return 0.5 * math.erfc((system / limit - 1) / (ERROR * math.sqrt(2)))
