"""``python -m tui`` is ``tunedeck``."""

from tui.cli.main import main

main()
