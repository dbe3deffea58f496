"""Memory: which values share storage, what lives when, and where it would be placed.

    aliases     what each operator says of the storage of its results
    storage     values → pieces of memory with sizes and lifetimes
    liveness    pieces → bytes over time, the peak, what holds it
    arena       pieces → offsets in one arena: the best of several strategies
    placement, best_fit, shared_blocks    the strategies
    in_place    whether a write over an operand is allowed
"""

from .aliases import ALIASES, aliases_of
from .arena import ArenaPlan, plan_arena, plans
from .in_place import verify_in_place
from .liveness import MemoryProfile, liveness, profile
from .storage import Storage, Storages, storages

__all__ = [
    "ALIASES",
    "ArenaPlan",
    "MemoryProfile",
    "Storage",
    "Storages",
    "aliases_of",
    "liveness",
    "plan_arena",
    "plans",
    "profile",
    "storages",
    "verify_in_place",
]
