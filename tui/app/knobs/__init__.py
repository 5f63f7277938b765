"""The values of a config as knobs: each a row that is turned by a key."""

from __future__ import annotations
