"""Memory: which values share storage, what lives when, and where it would be placed.

    aliases     what each operator says of the storage of its results
    storage     values → pieces of memory with sizes and lifetimes
    liveness    pieces → bytes over time, the peak, what holds it
    arena       pieces → offsets in one arena: the best of several strategies
    placement, best_fit, shared_blocks    the strategies
    modules     the peak by module of the network
    order, sethi_ullman, window, reordering    another order of execution with a lower peak
    in_place    whether a write over an operand is allowed
"""

from .aliases import ALIASES, aliases_of
from .arena import ArenaPlan, plan_arena, plan_best_fit, plan_shared_blocks, plans
from .in_place import verify_in_place
from .liveness import MemoryProfile, liveness, profile
from .modules import by_module
from .reordering import Reordering, find_order, reorder_gain_bytes
from .storage import Storage, Storages, storages

__all__ = [
    "ALIASES",
    "ArenaPlan",
    "MemoryProfile",
    "Reordering",
    "Storage",
    "Storages",
    "aliases_of",
    "by_module",
    "find_order",
    "liveness",
    "plan_arena",
    "plan_best_fit",
    "plan_shared_blocks",
    "plans",
    "profile",
    "reorder_gain_bytes",
    "storages",
    "verify_in_place",
]
