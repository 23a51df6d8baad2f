"""Machine code of compiled models, kept between processes.

Compiling a model takes numba longer than sampling it does, and nothing in it but the structure of the model
matters. What was compiled once is kept beside PyTensor's compile cache under a key of that structure, the source
of this library, the versions of all that took part and the processor, and is loaded instead of being compiled.
:func:`sinklab.fit.bayes.sample` compares whatever was loaded with the graph of the model before it is used.

nutpie asks PyTensor for two functions and numba for their machine code. While :func:`kept` is open, both answers
are given from the file when there is one, and written to it when there is none. Code that holds addresses of this
process is not kept.
"""

import os
import pickle
import platform
import tempfile
from contextlib import contextmanager, suppress
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

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


def load(path: Path) -> dict | None:
    """What was kept, or None when there is nothing that can be read."""
    with suppress(Exception):
        return pickle.loads(path.read_bytes())
    return None


def store(path: Path, content: dict) -> None:
    """Write what is to be kept; a folder that cannot be written is no reason to fail."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "wb") as stream:
            pickle.dump(content, stream)
        os.replace(name, path)


@contextmanager
def kept(model, found: dict | None):
    """Let nutpie compile with machine code that was kept, or note what it compiles.

    Parameters
    ----------
    model : pymc.Model
    found : dict, optional
        As :func:`load` gives.

    Yields
    ------
    noted : dict
        To :func:`store` when ``complete``; empty when machine code was loaded.
    """
    import nutpie.compile_pymc as room
    from numba.core.ccallback import CFunc

    make, compile_ = room._make_functions, CFunc.compile
    noted = {} if found else {"codes": [], "complete": True}
    room._make_functions = (
        (lambda *_, **options: _told(model, found, options))
        if found
        else (lambda *inputs, **options: _noted_functions(make, noted, *inputs, **options))
    )
    codes = iter(found["codes"]) if found else None
    CFunc.compile = (
        (lambda function: _loaded(function, next(codes))) if found else (lambda f: _noted_code(f, noted))
    )
    try:
        yield noted
    finally:
        room._make_functions, CFunc.compile = make, compile_


def _noted_functions(make, noted, *inputs, **options):
    made = make(*inputs, **options)
    shared = [[variable.name for variable in function.get_shared()] for function in made[2:4]]
    noted["shared"], noted["rest"] = shared, made[:2] + made[5:]
    # What has no name cannot be found in a model that is built anew.
    noted["complete"] &= all(name for names in shared for name in names)
    return made


def _told(model, found, options):
    """What nutpie wants of the functions, without making them: their data, and how the start is laid out."""
    from nutpie.compile_pymc import _rv_dict_to_flat_array_wrapper

    functions = [_stand_in([model[name] for name in names]) for names in found["shared"]]
    names, _, shapes = found["rest"][2]
    count = len(model.free_RVs)
    start = _rv_dict_to_flat_array_wrapper(
        options["pymc_initial_point_fn"], names=names[:count], shapes=shapes[:count]
    )
    return (*found["rest"][:2], *functions, start, *found["rest"][2:])


def _stand_in(shared):
    # Never called: its caller is machine code already.
    return SimpleNamespace(get_shared=lambda: shared, vm=SimpleNamespace(jit_fn=None))


def _noted_code(function, noted) -> None:
    from numba.core.compiler_lock import global_compiler_lock
    from numba.core.serialize import dumps

    with global_compiler_lock:
        compiled = function._compile_uncached()
        _attach(function, compiled)
        noted["complete"] &= not compiled.library.has_dynamic_globals
        if noted["complete"]:
            noted["codes"].append(dumps(compiled._reduce()))


def _loaded(function, code) -> None:
    from numba.core.compiler import CompileResult
    from numba.core.compiler_lock import global_compiler_lock

    target = function._targetdescr.target_context
    with global_compiler_lock:
        target.refresh()
        _attach(function, CompileResult._rebuild(target, *pickle.loads(code)))


def _attach(function, compiled) -> None:
    """As numba does at the end of compiling a callback."""
    function._library = compiled.library
    function._wrapper_name = compiled.fndesc.llvm_cfunc_wrapper_name
    function._wrapper_address = compiled.library.get_pointer_to_function(function._wrapper_name)
