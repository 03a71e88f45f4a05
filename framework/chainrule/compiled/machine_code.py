"""From a function in LLVM's language to machine code for this processor, by llvmlite.

Nothing is done that would change bits: no flag allows LLVM to reorder, to fuse a product with a sum, or to assume that
numbers are finite.
"""

import functools
import hashlib
from typing import Any

from chainrule.files import cache

FOLDER = "compiled"  # of the cache
_FORMAT = "1"  # of what is compiled; another one makes other keys


def address(text: str) -> int:
    """Return the address of the function ``train`` in a text, compiled now or read from the cache."""
    return _loaded(text)


@functools.lru_cache(maxsize=1024)
def _loaded(text: str) -> int:
    binding, machine = _target()
    content = cache.read(FOLDER, key_of(text))
    found = None if content is None else _load(binding, machine, content)
    if found is None:
        content = _compiled(binding, machine, text)
        cache.write(FOLDER, key_of(text), content)
        found = _load(binding, machine, content)
    assert found is not None
    return found


@functools.cache
def available() -> str:
    """Return why nothing can be compiled here, a sentence; "" if it can."""
    try:
        _target()
    except (ImportError, OSError, RuntimeError) as error:
        return f"llvmlite cannot be used: {error}."
    return ""


def key_of(text: str) -> str:
    """Return what names machine code: what is compiled, by which LLVM, for which processor."""
    llvmlite, cpu, features = _processor()
    described = "\n".join([_FORMAT, llvmlite, cpu, features, text])
    return hashlib.sha256(described.encode()).hexdigest()


_engines: list[Any] = []  # what holds the code in memory, as long as the process lives


def _load(binding: Any, machine: Any, content: bytes) -> int | None:
    """Return the address of ``train`` in compiled code; None if the code is damaged."""
    try:
        engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
        engine.add_object_file(binding.ObjectFileRef.from_data(content))
        engine.finalize_object()
        found: int = engine.get_function_address("train")
    except RuntimeError:
        return None
    _engines.append(engine)
    return found or None


def _compiled(binding: Any, machine: Any, text: str) -> bytes:
    module = binding.parse_assembly(text)
    tuning = binding.create_pipeline_tuning_options(speed_level=2)
    tuning.loop_vectorization = tuning.slp_vectorization = tuning.loop_unrolling = True
    builder = binding.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(module, builder)
    code: bytes = machine.emit_object(module)
    return code


@functools.cache
def _target() -> tuple[Any, Any]:
    """Return llvmlite's binding, and a machine for this processor."""
    import llvmlite.binding as binding  # here, because it is slow to import

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    _, cpu, features = _processor()
    target = binding.Target.from_default_triple()
    return binding, target.create_target_machine(cpu=cpu, features=features, opt=2, reloc="pic", codemodel="jitdefault")


@functools.cache
def _processor() -> tuple[str, str, str]:
    """Return the version of llvmlite, the name of this processor, and its features."""
    import llvmlite
    import llvmlite.binding as binding

    return llvmlite.__version__, binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()
