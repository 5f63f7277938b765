"""Whatever a reload holds, the history keeps it, and tells it as a viewer is told."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from tests.protocol.test_messages import FIELDS
from tui.engine.history.columns import json_line, reload_in, stored
from tui.protocol.codec import decode, encode
from tui.protocol.messages import Reload


@given(st.builds(Reload, **{item.name: FIELDS[str(item.type)] for item in dataclasses.fields(Reload)}))
def test_every_field_of_a_reload_is_kept_and_told(row: Reload) -> None:
    values = stored(row)
    assert reload_in(values) == decode(encode(row))
    assert json_line(values) == encode(row)
