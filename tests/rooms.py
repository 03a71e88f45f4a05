"""The rooms of ``framework/chainrule`` and who imports whom:  ``python tests/rooms.py`` prints the arrows."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
FRAMEWORK = ROOT / "framework" / "chainrule"

# From the bottom up. A room may import from those below it, and within itself; the rooms of one line know nothing of
# one another.
LINE = [
    ("errors", "interrupts", "moved"),
    ("files",),
    ("components", "compiled"),
    ("engine",),
    ("records",),
    ("analysis",),
    ("registry", "reports"),
    ("runs",),
    ("config",),
    ("sweep.jobs",),
    ("sweep.execution",),
    ("sweep",),
    ("replay",),
    ("testing", "notebook", "estimators"),
    ("cli",),
]
LEVEL = {room: level for level, rooms in enumerate(LINE) for room in rooms}
MODULES = {
    ".".join(path.relative_to(FRAMEWORK).with_suffix("").parts).removesuffix(".__init__"): path
    for path in FRAMEWORK.rglob("*.py")
    if path.parent != FRAMEWORK or not path.stem.startswith("__")
}


def room_of(module: str) -> str:
    """Return the room that a module lies in; a module of the top folder is a room of its own."""
    return max((room for room in LEVEL if f"{module}.".startswith(f"{room}.")), key=len)


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Return every module imported in a file, wherever in it and for whatever purpose."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, f"{path} imports by a relative name"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_imports(module: str) -> set[str]:
    """Return the modules of the engine that one of them imports."""
    names = {target.removeprefix("chainrule.") for target in imports(MODULES[module])}
    found = names & set(MODULES) - {module}
    return {name for name in found if not any(other.startswith(f"{name}.") for other in found)}  # not their packages


def arrows() -> dict[tuple[str, str], list[str]]:
    """Return who imports whom: two rooms to the modules of the first that do."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for module in sorted(MODULES):
        for other in own_imports(module):
            pair = room_of(module), room_of(other)
            if pair[0] != pair[1]:
                found[pair].append(module)
    return dict(found)


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Return nodes that lie on circles or above them; none if there are no circles."""
    done: set[str] = set()
    while ready := {node for node in graph.keys() - done if graph[node] <= done}:
        done |= ready
    return sorted(graph.keys() - done)


def main() -> None:
    found = arrows()
    for rooms in reversed(LINE):
        for room in rooms:
            below = sorted({b for a, b in found if a == room}, key=lambda name: (-LEVEL[name], name))
            print(f"{room:<16} -> {', '.join(below) or '-'}")
    upward = [pair for pair in found if LEVEL[pair[0]] <= LEVEL[pair[1]]]
    print(f"{len(LEVEL)} rooms, {len(found)} arrows, {len(upward)} upward, {len(MODULES)} modules, ", end="")
    print(f"{len(circle({m: own_imports(m) for m in MODULES}))} modules in circles")


if __name__ == "__main__":
    main()
