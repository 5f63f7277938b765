"""``python -m tui`` is ``tunedeck``."""

from tui.cli import main

main()
