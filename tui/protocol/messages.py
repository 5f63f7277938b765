"""What crosses a process boundary: events to viewers and readers, commands to the engine.

Every message is a frozen dataclass and travels as one JSON object a line: see `tui.protocol.codec`.
"""

from tui.protocol.events import *  # noqa: F403
from tui.protocol.requests import *  # noqa: F403
