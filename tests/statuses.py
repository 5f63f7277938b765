from __future__ import annotations

#: Statuses that a reload never leaves, but for `applied`, which a guard may turn into `reverted`.
FINAL = frozenset({"invalid", "rejected", "applied", "superseded", "failed", "reverted"})
