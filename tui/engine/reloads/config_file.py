"""A config file as the engine knows it, and the one way that every change of it takes.

::

    save -> store -> document -> (diff, reload, worker: see `tui.engine.jobs.job`)
    disk -> watch ----^
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from tui.config import document, retyped, schema
from tui.config.disk import atomic, store
from tui.config.editing import merge, tree
from tui.engine import in_thread
from tui.engine.reloads.candidate import AUTHOR, Candidate
from tui.protocol.messages import Problem

#: Above this many characters a text is parsed in a thread, so that the loop goes on meanwhile.
PARSE_INLINE = 2_048

#: So many texts that were in the file are kept, and so many characters of them, to merge what is based on them.
MOST_KEPT = 500
KEPT = 8 << 20


class ConfigFile:
    """One config file: what it holds as far as the engine knows, and who wants to hear of changes.

    Args:
        path: The file as given, absolute.
        own: Called with the digest of what we are about to write, before it is on disk, so that the watch takes
            it for known.
        schemas: What jobs want it checked against; a job without one takes what the file names itself.

    Attributes:
        text: The text on disk, None where it can't be read.
        digest: The name of that content, None where there is none.
        problem: Why it can't be read or parsed.
        missing: There is no file.
        keyed: What is in the file parses, or did before.
        faults: What each schema, None for the one that the file names, objects to.
        remark: Why the schema that the file names can't be used.
        listeners: Called with every new content that is to become a version.
    """

    def __init__(self, path: Path, own: Callable[[Path, str | None], None], schemas: Collection[Path] = ()) -> None:
        self.path = path
        self.faults: Mapping[Path | None, Problem] = {}
        self.remark: str | None = None
        self._schemas = schemas
        self._named: Path | None = None  # what the text that was parsed last names
        self.text: str | None = None
        self.digest: str | None = None
        self.problem: Problem | None = None
        self.missing = False
        self.keyed = False
        self.listeners: list[Callable[[Candidate], None]] = []
        self.on_document: Callable[[], None] = lambda: None
        self._own = own
        self._legible = ""
        self._told = False  # what the file holds has become a version
        self._document: document.ConfigDocument | None = None
        self._texts: dict[str, str] = {}  # by their digests, the newest last
        self._lock = asyncio.Lock()

    @property
    def data(self) -> Mapping[str, Any] | None:
        """The parsed text, None where there is none."""
        return self._document.data if self._document else None

    @property
    def last_parsed(self) -> document.ConfigDocument | None:
        """What was parsed last, None where there is none."""
        return self._document

    @property
    def schema_files(self) -> set[Path]:
        """The schemas that it is checked against, or the one that the text names."""
        return {*self._schemas, *({self._named} if self._named is not None else ())}

    @property
    def marks(self) -> Mapping[str, document.Mark]:
        """Where the values of the parsed text stand."""
        return self._document.marks if self._document else {}

    async def current(self, source: str, seen: float, *, taken: bool = False) -> Candidate:
        """Return what the file holds as a candidate for a version, once what is being parsed has been.

        Args:
            source: Of the version.
            seen: Monotonic seconds of the wish's arrival.
            taken: It becomes one now.
        """
        async with self._lock:
            self._told = self._told or taken
            return self._candidate(source, seen)

    async def draft(self, raw: bytes, source: str, seen: float) -> Candidate:
        """Return what a content would be as a candidate if it were in the file."""
        return (await self._parse(store.Content(raw, store.digest(raw)))).candidate(source, seen, self.keyed)

    def _candidate(self, source: str, seen: float) -> Candidate:
        return _Parsed(self.text, self._legible, self.problem, self._document, self.faults).candidate(
            source, seen, self.keyed
        )

    async def load(self) -> None:
        """Read the file for the first time; nobody is told."""
        async with self._lock:
            try:
                content = store.read(self.path)
                self._take(content, await self._parse(content))
            except store.StoreError as error:
                self._miss(error)

    async def check_by(self, schemas: Collection[Path]) -> None:
        """Have the text checked against these schemas from now on, and tell what they object to in what is there."""
        if set(schemas) != set(self._schemas):
            self._schemas = schemas
            await self.check_again()

    async def check_again(self) -> None:
        """Tell what the schemas, which are others now, object to in what is there."""
        async with self._lock:
            if self.text is not None and self.digest is not None:
                parsed = await self._parse(store.Content(self.text.encode(), self.digest))
                self.faults, self.remark = parsed.faults, parsed.remark
        self.on_document()

    async def changed(self, found: store.Content | store.StoreError, settled: bool, seen: float) -> None:
        """Take what the watch found on disk.

        Content that had no time to settle and does not parse is let go: the watch brings it again once it has.
        """
        waits = self._lock.locked()
        async with self._lock:
            if waits and not self._still(found):
                return  # a save came first; the watch brings what is there now
            if isinstance(found, store.StoreError):
                self._miss(found)
            elif found.digest == self.digest:
                return
            else:
                parsed = await self._parse(found)
                if parsed.document is None and not settled:
                    return
                self._take(found, parsed)
                try:
                    self._tell("disk", seen)
                finally:
                    self.on_document()
                return
            self.on_document()

    async def save(
        self,
        text: str,
        base: str | None,
        in_place: bool,
        seen: float,
        *,
        force: bool = False,
        told: Callable[[], object] = lambda: None,
    ) -> None:
        """Write `text` to disk, if the file still holds `base`, and take it as a change by the editor.

        The change is on its way once the whole text is in its place, and `told` is called; only who saved waits until
        it is there to stay.

        Raises:
            store.StoreError: It could not be written, and the message says if the file is as it was.
        """
        raw = self._encoded(text)
        async with self._lock:
            await self._write(raw, base, "editor", seen, told=told, in_place=in_place, force=force)

    def merged(
        self, text: str, base: str | None, current: store.Content, choices: Mapping[str, str], *, keyed: bool
    ) -> str:
        """Return `text`, which was made of `base`, with what the `current` content has changed since; in any thread.

        Args:
            text: The text of a whole file.
            base: What it was made of.
            current: What is there now.
            choices: Which side counts where both have changed a key.
            keyed: The config is parsed, so that it can be merged by its keys.

        Raises:
            store.Conflict: It can't be done, or nobody knows any more what `base` was.
        """
        begun = self.text_of(base)
        if begun is None:
            raise store.Conflict(f"{self.path} has been changed by somebody else: nothing was written", current)
        try:
            texts = merge.Texts(begun, text, document.decode(current.raw))
            return merge.merge(texts, choices) if keyed else merge.merge_lines(texts)
        except document.ConfigError as error:
            raise store.Conflict(f"{self.path} has been changed by somebody else: {error}", current) from error
        except merge.Clashing as error:
            message = f"{self.path} has been changed by somebody else, and {error}: nothing was written"
            raise store.Conflict(message, current, error.clashes) from error

    def text_of(self, digest: str | None) -> str | None:
        """Return a text that was in the file, None where it is not known any more."""
        return self._texts.get(digest) if digest is not None else None

    async def edit(
        self,
        change: Callable[[bytes], str],
        source: str,
        seen: float,
        *,
        accept: Callable[[Candidate], Awaitable[None]] | None = None,
        told: Callable[[], object] = lambda: None,
        create: bool = False,
    ) -> bool:
        """Change what is on disk; return whether there was anything to change.

        Args:
            change: Is given what is there and returns the new text, or raises ConfigError.
            source: Of the version that comes of it.
            seen: Monotonic seconds of the wish's arrival.
            accept: Is asked before anything is written, and raises ConfigError to refuse it. Who saves meanwhile does
                not wait for the answer.
            told: Is called when it has become a version, before that is there to stay.
            create: A missing file is made; for `change` it is an empty one.

        Raises:
            ConfigError: It was refused, or could not be written; the file is as it was.
        """
        for attempt in store.attempts():
            await self._at_rest()
            content = store.found(self.path, create=create)
            new = self._encoded(await asyncio.to_thread(change, content.raw if content is not None else b""))
            if content is not None and new == content.raw:
                return False
            parsed = await self._parse(store.Content(new, store.digest(new)))
            if accept is not None:
                await accept(parsed.candidate(source, seen, self.keyed))
            with attempt:
                async with self._lock:
                    base = content.digest if content is not None else None
                    await self._write(new, base, source, seen, told=told, parsed=parsed)
                return True
        raise AssertionError("the last attempt returns or raises")

    def _encoded(self, text: str) -> bytes:
        try:
            return text.encode("utf-8")
        except UnicodeEncodeError as error:
            what = f"U+{ord(text[error.start]):04X}, half a character"
            raise store.StoreError(f"{self.path} stays as it was: the text holds {what}; remove it") from error

    async def _write(
        self,
        raw: bytes,
        base: str | None,
        source: str,
        seen: float,
        *,
        told: Callable[[], object],
        parsed: _Parsed | None = None,
        in_place: bool = False,
        force: bool = False,
    ) -> None:
        if base is not None and (base != self.digest or not self._told):
            await self._at_rest()
            await self._catch_up(base, seen)
        self._own(self.path, store.digest(raw))
        loop = asyncio.get_running_loop()
        syncing = asyncio.Event()
        place = functools.partial(
            store.place_file,
            self.path,
            raw,
            base=base,
            in_place=in_place,
            force=force,
            syncing=lambda: loop.call_soon_threadsafe(syncing.set),
        )
        placing = loop.run_in_executor(None, place)
        placing.add_done_callback(lambda _: syncing.set())
        content = store.Content(raw, store.digest(raw))
        try:
            if parsed is None:
                await syncing.wait()  # before, a parse would take the interpreter from who writes; now the disk is busy
                parsed = await self._parse(content)
            placed = await placing
            self._take(content, parsed)
        except Exception:
            # Should it have been written all the same, the watch brings it.
            await asyncio.wait([placing])
            self._own(self.path, self.digest)
            raise
        try:
            self._tell(source, seen)
            told()
        finally:
            self.on_document()
            await loop.run_in_executor(None, store.settle_file, self.path, placed)

    async def _at_rest(self) -> None:
        """Wait until nobody is writing the file in its place: half of a text is no version, and no reason to refuse."""
        deadline = time.monotonic() + store.WRITER_PATIENCE
        while atomic.being_written(self.path) and time.monotonic() < deadline:  # noqa: ASYNC110  # nobody tells of it
            await asyncio.sleep(0.01)

    async def _catch_up(self, base: str | None, seen: float) -> None:
        """Make a version of what is about to be replaced, if it is none yet: no text is lost.

        Raises:
            store.Conflict: It is not there. It may come back before the write, and would be replaced unseen.
        """
        found = store.expect(self.path, base)
        assert found is not None
        self._take(found, await self._parse(found))
        self._tell("disk", seen)
        self.on_document()

    def _still(self, found: store.Content | store.StoreError) -> bool:
        """Return whether what was found is what is there."""
        try:
            now: store.Content | store.StoreError = store.read(self.path)
        except store.StoreError as error:
            now = error
        if isinstance(found, store.Content) and isinstance(now, store.Content):
            return found.digest == now.digest
        return str(found) == str(now)

    def _take(self, content: store.Content, parsed: _Parsed) -> None:
        # All at once, after the parsing: nobody may see the digest of one content with the text of another.
        self.digest = content.digest
        self.text, self._legible, self.problem, self._document, self.faults, self.remark = parsed
        self.missing = False
        self.keyed = self.keyed or parsed.document is not None
        if self.text is not None:
            self._texts.pop(content.digest, None)
            self._texts[content.digest] = self.text
            while len(self._texts) > 1 and (len(self._texts) > MOST_KEPT or sum(map(len, self._texts.values())) > KEPT):
                del self._texts[next(iter(self._texts))]

    async def _parse(self, content: store.Content) -> _Parsed:
        parsed = await _parse(content, self._document)
        if parsed.document is None:
            return parsed
        named = remark = None
        try:
            named = schema.named_by(parsed.document.text, self.path.parent)
        except schema.SchemaError as error:
            remark = f"not checked: {error}"
        self._named = named
        if named is None and not self._schemas:
            return parsed._replace(remark=remark)
        # In a thread: the library may have to be imported, and takes its time for a large config.
        faults, found = await asyncio.to_thread(_check, parsed.document, self._schemas, named)
        return parsed._replace(faults=faults, remark=remark or found)

    def _miss(self, error: store.StoreError) -> None:
        self.text = self.digest = self._document = self.remark = None
        self._told = False
        self.faults = {}
        self._legible = ""
        self.problem = Problem(str(error))
        self.missing = isinstance(error, store.Missing)

    def _tell(self, source: str, seen: float) -> None:
        self._told = True
        candidate = self._candidate(source, seen)
        problems = []
        for listener in self.listeners:
            try:
                listener(candidate)
            except Exception as error:  # the others are to hear of it all the same
                problems.append(error)
        if problems:
            raise problems[0]


class _Parsed(NamedTuple):
    """What a content means: its text if it is one, what of it can be read, its document, or the problem it has."""

    text: str | None
    legible: str
    problem: Problem | None
    document: document.ConfigDocument | None
    faults: Mapping[Path | None, Problem] = MappingProxyType({})
    remark: str | None = None

    def candidate(self, source: str, seen: float, keyed: bool) -> Candidate:
        """Return it as a candidate for a version."""
        found = self.document
        data, marks = (found.data, found.marks) if found is not None else (None, {})
        readable = self.text is not None
        keyed = keyed or found is not None
        who = "" if source == "disk" else AUTHOR.get()  # nobody knows who wrote it
        return Candidate(self.legible, data, self.problem, source, seen, marks, self.faults, readable, keyed, who)


def _check(
    config: document.ConfigDocument, schemas: Collection[Path], named: Path | None
) -> tuple[Mapping[Path | None, Problem], str | None]:
    """Return what each schema objects to; one that can't be used objects too, but the file's own is only remarked."""
    found: dict[Path | None, Problem | None] = {}
    remark = None
    for path in schemas:
        try:
            found[path] = schema.check(path, config)
        except schema.SchemaError as error:
            found[path] = Problem(str(error))
    if named is not None:
        try:
            found[None] = schema.check(named, config)
        except schema.SchemaError as error:
            remark = f"not checked: {error}"
    return {path: problem for path, problem in found.items() if problem is not None}, remark


def _read(before: document.ConfigDocument | None, text: str) -> document.ConfigDocument:
    """Return the document of a text; where only a few values are others than before, only they are read."""
    found = retyped.reread(text, before) if before is not None else None
    return found or document.parse(text)


async def _parse(content: store.Content, before: document.ConfigDocument | None) -> _Parsed:
    try:
        text = document.decode(content.raw)
    except document.ConfigError as error:
        return _Parsed(None, content.raw.decode("utf-8", "replace"), error.problem, None)
    try:
        parsed = tree.document_of(text)  # which an edit has made just now
        if parsed is None:
            read = functools.partial(_read, before)
            parsed = await in_thread.run(read, text) if len(text) > PARSE_INLINE else read(text)
    except document.ConfigError as error:
        return _Parsed(text, text, error.problem, None)
    return _Parsed(text, text, None, parsed)
