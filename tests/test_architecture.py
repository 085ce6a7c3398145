"""The house of DESIGN.md, held by reading the imports of every file: one way, few doors."""

import ast
from pathlib import Path

import pytest
from repository import ROOT

COMMANDS = {f"fgseg_tf.{name}" for name in ("train", "evaluate", "export", "predict")}
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "core", "manager"}
LONGEST = 350  # lines


def files(*folders: str) -> dict[str, Path]:
    """Module name -> file, of everything under these folders."""
    found = {}
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


LIBRARY = files("data_pipelines", "fgseg_tf")
TOOLS = files("tools")
COMMAND_FILES = {**TOOLS, **{name: path for name, path in LIBRARY.items() if name in COMMANDS}}


def imported(text: str, module: str, is_package: bool = False) -> set[str]:
    """Full names of everything that a file imports, wherever in it; `from a import b` is a and a.b."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module.split(".") if is_package else module.split(".")[:-1]
                above = package[: len(package) - node.level + 1]
                base = ".".join([*above, *([node.module] if node.module else [])])
            names |= {base} | {f"{base}.{alias.name}" for alias in node.names}
    return names


def imports_of(module: str, path: Path) -> set[str]:
    return imported(path.read_text(), module, path.name == "__init__.py")


IMPORTS = {name: imports_of(name, path) for name, path in {**LIBRARY, **TOOLS}.items()}
# Of the library's own files only. A package is what its __init__.py says, which importing from it runs too.
USES = {name: {used for used in names if used in LIBRARY and used != name} for name, names in IMPORTS.items()}


def knows(module: str, *wanted: str) -> set[str]:
    """What of `wanted`, or from inside it, a file imports."""
    return {name for name in IMPORTS[module] if any(name == w or name.startswith(w + ".") for w in wanted)}


def within(package: str) -> list[str]:
    return [name for name in LIBRARY if name == package or name.startswith(package + ".")]


def rooms(module: str) -> set[str]:
    """What a file imports of the project, but for bare packages."""
    return {name for name in USES[module] if LIBRARY[name].name != "__init__.py"}


def test_imports_are_read():
    text = (
        "import a.b as c\nfrom d import e as f, g\ndef h():\n    from i.j import k\nfrom . import l\nfrom ..m import n"
    )
    found = {"a.b", "d", "d.e", "d.g", "i.j", "i.j.k", "p.q", "p.q.l", "p.m", "p.m.n"}
    assert imported(text, "p.q.r") == found
    assert imported("from . import l", "p.q", is_package=True) == {"p.q", "p.q.l"}
    # The files are where they are looked for.
    assert {"data_pipelines", "data_pipelines.records", "data_pipelines.demo.cutouts", "fgseg_tf"} <= set(LIBRARY)
    assert "tools.export_tfrecords" in TOOLS
    assert "data_pipelines.generation" in USES["tools.export_tfrecords"]
    assert "data_pipelines.records" in USES["data_pipelines.generation"]


@pytest.mark.parametrize("module", within("data_pipelines"))
def test_data_pipelines_never_imports_fgseg_tf(module):
    assert not knows(module, "fgseg_tf", "tools")


@pytest.mark.parametrize("module", within("fgseg_tf"))
def test_only_dataset_imports_data_pipelines(module):
    assert module == "fgseg_tf.dataset" or not knows(module, "data_pipelines")


@pytest.mark.parametrize("module", [name for name in LIBRARY if name not in COMMANDS])
def test_only_commands_know_flags(module):
    assert not knows(module, "absl.flags", "argparse")
    assert module == "data_pipelines.commands" or not knows(module, "absl.app")


@pytest.mark.parametrize("module", [*LIBRARY, *TOOLS])
def test_commands_are_imported_by_nobody(module):
    assert not knows(module, "tools", *COMMANDS, *(name.split(".")[-1] for name in TOOLS))


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("placement", ("keras", "data_pipelines.records")),
        ("composites", ("keras", "data_pipelines.teacher", "data_pipelines.records")),
        ("splits", ("keras",)),
        ("pyramid", ("keras", "tensorflow")),
        ("statistics", ("keras", "tensorflow")),
        ("ground", ("keras", "tensorflow")),
        ("depth", ("keras", "data_pipelines.teacher", "data_pipelines.records")),
        ("demo_sources", ("data_pipelines.composites", "data_pipelines.records", "tensorflow", "keras")),
        ("teacher", ("tensorflow",)),
        ("teacher_weights", ("tensorflow",)),
        ("generation", ("data_pipelines.teacher", "keras", "apache_beam")),
    ],
)
def test_what_a_file_must_not_know(module, forbidden):
    assert not knows(f"data_pipelines.{module}", *forbidden)


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("records", set()),
        ("splits", set()),
        ("pyramid", set()),
        ("placement", set()),
        ("statistics", set()),
        ("depth", set()),
        ("ground", set()),
        ("progress", set()),
        ("teacher_weights", set()),
        ("teacher", {"teacher_weights"}),
        ("composites", {"pyramid"}),
        ("shards", {"records"}),
        ("pictures", set()),
        ("images", {"cutouts", "duplicates", "pictures"}),
    ],
)
def test_the_only_project_files_that_a_file_may_import(module, allowed):
    assert rooms(f"data_pipelines.{module}") <= {f"data_pipelines.{name}" for name in allowed}


def test_the_demo_sources_have_one_door():
    inside = within("data_pipelines.demo")
    for module in [*LIBRARY, *TOOLS]:
        if module not in inside and module != "data_pipelines.demo_sources":
            assert not knows(module, "data_pipelines.demo"), module
    for module in inside:
        assert rooms(module) <= set(inside), module


@pytest.mark.parametrize("module", ["fgseg_tf.model"])
def test_the_network_runs_on_any_backend(module):
    if module not in LIBRARY:
        pytest.skip(f"{module} is not there yet")
    assert not knows(module, "tensorflow", "data_pipelines", "fgseg_tf.losses", "absl")


def circles(uses: dict[str, set[str]]) -> list[list[str]]:
    """Every way that comes back to where it began, found depth first."""
    found, done = [], set()

    def walk(module, way):
        if module in way:
            found.append([*way[way.index(module) :], module])
            return
        if module in done:
            return
        for used in sorted(uses.get(module, ())):
            walk(used, [*way, module])
        done.add(module)

    for module in uses:
        walk(module, [])
    return found


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c", "b"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


@pytest.mark.parametrize("package", ["data_pipelines", "fgseg_tf"])
def test_nothing_imports_itself_by_a_detour(package):
    assert circles({module: rooms(module) for module in within(package)}) == []


def test_names_say_what_is_inside():
    everything = {**LIBRARY, **TOOLS, **files("tests")}
    bad = {path.relative_to(ROOT) for name, path in everything.items() if FORBIDDEN_NAMES & set(name.split("."))}
    bad |= {path.relative_to(ROOT) for path in everything.values() if FORBIDDEN_NAMES & set(path.stem.split("_"))}
    assert not bad


@pytest.mark.parametrize("module", [name for name in LIBRARY if not name.startswith("data_pipelines.demo.")])
def test_files_are_short(module):
    assert len(LIBRARY[module].read_text().splitlines()) <= LONGEST


def test_tests_are_flat():
    assert {path.parent for path in (ROOT / "tests").rglob("*.py")} == {ROOT / "tests"}


@pytest.mark.parametrize("module", [*LIBRARY, *TOOLS])
def test_every_file_says_what_it_is(module):
    path = {**LIBRARY, **TOOLS}[module]
    assert ast.get_docstring(ast.parse(path.read_text()))
