"""The text in the editor against the file on disk: who changed what, decided without a screen."""

from __future__ import annotations

import enum
from typing import NamedTuple

from tui.app.model.file_text import FileText
from tui.protocol.messages import Clash, Document

#: What is said to clash where no key can be named.
WHOLE = (Clash("", None, None, None),)


class Verdict(enum.Enum):
    """What a new state of the file means for the editor."""

    KEEP = enum.auto()
    FOLLOW = enum.auto()
    CONFLICT = enum.auto()
    GONE = enum.auto()


class _Before(NamedTuple):
    """What a merge has changed, for when it is undone."""

    shown: str
    base: FileText
    digest: str | None
    theirs: Document


class Draft:
    """What the editor started from.

    Attributes:
        base: The file as the editor's text was based on it.
        digest: The name of that content; None while the file does not exist.
        theirs: The file on disk where it differs from the base and the editor has unsaved changes.
        clashes: The keys that both have changed, as far as that is known.
        unreadable: The file as the engine described it, if it is there but can't be read.
        pending: The text of a save that the engine has not answered yet.
    """

    def __init__(self) -> None:
        self.base = FileText("")
        self.digest: str | None = None
        self.known = False
        self.theirs: Document | None = None
        self.clashes: tuple[Clash, ...] = ()
        self._before: _Before | None = None
        self.unreadable: Document | None = None
        self.pending: str | None = None

    @property
    def gone(self) -> bool:
        """Whether the file was deleted, or does not exist yet."""
        return self.known and self.digest is None and self.unreadable is None

    def dirty(self, shown: str) -> bool:
        """Tell whether the editor's text differs from what it was based on."""
        return shown != self.base.shown

    def receive(self, document: Document, shown: str) -> Verdict:
        """Take in the file as it stands on disk now, while the editor holds `shown`."""
        first, self.known = not self.known, True
        self.unreadable = document if document.text is None and not document.missing else None
        if document.text is None:
            self.digest, self.theirs = document.digest, None
            return Verdict.GONE
        if document.digest == self.digest:
            self.theirs = None
            return Verdict.KEEP
        if not first and document.text in (self.pending, self.base.restore(shown)):
            self.adopt(document.text, document.digest)
            return Verdict.KEEP
        if self.dirty(shown):
            self.theirs, self.clashes = document, ()
            return Verdict.CONFLICT
        self.adopt(document.text, document.digest)
        return Verdict.FOLLOW

    def adopt(self, text: str, digest: str | None) -> None:
        """Make `text` what the editor's changes are counted from."""
        self.base = FileText(text)
        self.digest = digest
        self.theirs = None
        self.unreadable = None
        self._before = None

    def merge(self, text: str, theirs: Document, shown: str) -> str | None:
        """Return what the editor is to show in the place of `shown`: `text`, into which theirs was merged.

        None where that has characters which the editor can't show; then all stays as it is.
        """
        before, base = _Before(shown, self.base, self.digest, theirs), FileText(theirs.text or "")
        merged = FileText(text).shown
        if base.restore(merged) != text:
            return None
        self.adopt(theirs.text or "", theirs.digest)
        self._before = before
        return merged

    def undo(self, shown: str) -> None:
        """See whether a merge was undone: then the editor's text is based again on what it was based on before."""
        before = self._before
        if before is not None and shown == before.shown and self.digest == before.theirs.digest:
            self.base, self.digest, self.theirs, self.clashes = before.base, before.digest, before.theirs, ()
            self._before = None
