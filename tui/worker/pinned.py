"""Code as it was when it was found to be good: a worker has it so, whatever is in its files by now.

Between the import that was tried and that of the worker may lie the whole end of the worker before, and somebody goes
on editing. Of a module that is pinned, the source is what the engine has sent, and no cached one counts; all others
come from their files.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import sys
from typing import Any, Dict, Optional, Sequence


class PinnedLoader(importlib.machinery.SourceFileLoader):
    """Loads one file, whose source is known."""

    def __init__(self, name: str, path: str, source: bytes) -> None:
        super().__init__(name, path)
        self._source = source

    def get_data(self, path: str) -> bytes:
        """Return the source, or what else lies beside it."""
        return self._source if path == self.path else super().get_data(path)

    def path_stats(self, path: str) -> Any:
        """Say that nothing is known of the file: no cached code is taken, and none is written."""
        raise OSError(f"{path} is pinned")


class PinnedFinder:
    """Finds the modules of these files, by their absolute paths, where the import system would look for them."""

    def __init__(self, code: Dict[str, bytes]) -> None:
        self._code = code

    def find_spec(self, name: str, path: Optional[Sequence[str]] = None, _: Any = None) -> Any:
        """Return how a module is loaded, None where it is not one of ours."""
        for folder in sys.path if path is None else path:
            base = os.path.join(os.path.abspath(folder), name.rpartition(".")[2])
            for file, inside in ((os.path.join(base, "__init__.py"), [base]), (base + ".py", None)):
                if file in self._code:
                    loader = PinnedLoader(name, file, self._code[file])
                    return importlib.util.spec_from_file_location(
                        name, file, loader=loader, submodule_search_locations=inside
                    )
        return None


def install(code: Dict[str, bytes]) -> None:
    """Have this process import these files so."""
    sys.meta_path.insert(0, PinnedFinder(code))
