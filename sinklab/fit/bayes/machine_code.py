"""Machine code of compiled models, kept between processes.

Compiling a model takes numba longer than sampling it does, and nothing in it but the structure of the model
matters. What was compiled once is kept beside PyTensor's compile cache under a key of that structure, the source
of this library, the versions of all that took part and the processor, and is loaded instead of being compiled.
:func:`sinklab.fit.bayes.sample` compares whatever was loaded with the graph of the model before it is used.
"""

import os
import pickle
import platform
import tempfile
from contextlib import suppress
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

PARTS = ("numba", "llvmlite", "pytensor", "pymc", "nutpie", "numpy", "scipy")
SOURCES = (".", "../../equations")


def path_of(structure: str) -> Path:
    """File of the machine code of a structure."""
    import llvmlite.binding as llvm
    import pytensor

    here = Path(__file__).parent
    files = sorted(file for room in SOURCES for file in (here / room).glob("*.py"))
    told = [structure, platform.platform(), platform.python_version(), llvm.get_host_cpu_name()]
    told += [llvm.get_host_cpu_features().flatten(), *(f"{part} {version(part)}" for part in PARTS)]
    told += [sha256(file.read_bytes()).hexdigest() for file in files]
    key = sha256("\n".join(told).encode()).hexdigest()[:32]
    return Path(pytensor.config.compiledir) / "sinklab" / f"{key}.pickle"


def load(path: Path) -> dict[str, bytes] | None:
    """Machine code by the name of its function, or None when there is nothing that can be read."""
    with suppress(Exception):
        return pickle.loads(path.read_bytes())
    return None


def store(path: Path, content: dict[str, bytes]) -> None:
    """Write what is to be kept; a folder that cannot be written is no reason to fail."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "wb") as stream:
            pickle.dump(content, stream)
        os.replace(name, path)


class Code:
    """The machine code of one function, as numba sees a cache.

    Parameters
    ----------
    content : bytes, optional
        What was kept; without it the code is compiled, and ``content`` is what to keep: None where the code
        holds addresses of this process.
    """

    def __init__(self, content: bytes | None = None):
        self.content = content

    def load_overload(self, signature, target):
        """Numba's result of compiling, or None."""
        from numba.core.compiler import CompileResult

        if self.content is None:
            return None
        target.refresh()
        return CompileResult._rebuild(target, *pickle.loads(self.content))

    def save_overload(self, signature, result):
        """Take what was compiled."""
        from numba.core.serialize import dumps

        if not result.library.has_dynamic_globals:
            self.content = dumps(result._reduce())


def callback(function, signature, code: Code):
    """Compile a function to be called from outside of Python, or load it.

    Parameters
    ----------
    function : callable
        Not looked at when there is machine code.
    signature : numba signature
    code : Code
    """
    from numba.core.ccallback import CFunc
    from numba.core.sigutils import normalize_signature

    # Divisions by 0 are infinite, as they are for numpy, and raise nothing.
    made = CFunc(function, normalize_signature(signature), {}, {"error_model": "numpy"})
    made._cache = code
    made.compile()
    return made
