"""What every command of the command line may say."""

from __future__ import annotations


class Usage(Exception):  # noqa: N818
    """The command can't be carried out as given; the message says why. Exit code 2."""
