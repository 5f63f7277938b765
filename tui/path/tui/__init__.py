"""The package `tui` for an interpreter of another environment: beside this folder there is nothing else."""

# Nothing is imported for it: what follows is what an installed `tui` would be, from its own compiled file.
import os as _os

__path__ = [_os.path.dirname(_os.path.dirname(_os.path.dirname(_os.path.abspath(__file__))))]
__file__ = _os.path.join(__path__[0], "__init__.py")
exec(type(__loader__)("tui", __file__).get_code("tui"))
