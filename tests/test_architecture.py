"""The dependency rule of the house, held by reading the imports of every file."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT

FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "core", "manager"}

# What each room may import, beside itself. A name ends where a package or a module of that name does.
DATA_TOOLBOX = {
    "data_pipelines.runtime",
    "data_pipelines.config",
    "data_pipelines.compositing.depth_labels",
    "data_pipelines.inspection.depth_colors",
}
MAY_IMPORT: dict[str, set[str]] = {
    "data_pipelines.runtime": set(),
    "data_pipelines.config": set(),
    "data_pipelines.dataset_flags": {"data_pipelines.config"},
    "data_pipelines.demo": {"data_pipelines.runtime"},
    "data_pipelines.sources": {"data_pipelines.runtime", "data_pipelines.config", "data_pipelines.demo"},
    "data_pipelines.compositing": {"data_pipelines.runtime", "data_pipelines.config", "data_pipelines.sources"},
    "data_pipelines.tfrecord": {
        "data_pipelines.runtime",
        "data_pipelines.config",
        "data_pipelines.sources",
        "data_pipelines.compositing",
    },
    "data_pipelines.inspection": {
        "data_pipelines.runtime",
        "data_pipelines.config",
        "data_pipelines.compositing",
        "data_pipelines.tfrecord",
    },
    # Handed to who needs a teacher; nothing of compositing or tfrecord imports it.
    "data_pipelines.teacher": {"data_pipelines.runtime", "data_pipelines.config", "data_pipelines.demo"},
    "fgseg_tf.model": {"data_pipelines.runtime"},
    "fgseg_tf.measures": {"fgseg_tf.model.depth_code"},
    "fgseg_tf.runs": DATA_TOOLBOX | {"fgseg_tf.model", "fgseg_tf.measures"},
    "fgseg_tf.data": {"data_pipelines", "fgseg_tf.model", "fgseg_tf.measures", "fgseg_tf.runs"},
}
BEFORE_DATA = {"fgseg_tf.model", "fgseg_tf.measures", "fgseg_tf.runs"}
# What is known of a camera, whoever looks through it.
MAY_IMPORT["fgseg_tf.calibration"] = DATA_TOOLBOX | {"data_pipelines.sources"}
# Frames as they come, from whatever hands them out.
MAY_IMPORT["fgseg_tf.streams"] = {"data_pipelines.runtime"}
MAY_IMPORT["fgseg_tf.inference"] = (
    DATA_TOOLBOX | {"data_pipelines.sources", "fgseg_tf.calibration", "fgseg_tf.streams"} | BEFORE_DATA
)
BEFORE_INFERENCE = BEFORE_DATA | {"fgseg_tf.data", "fgseg_tf.calibration", "fgseg_tf.inference"}
for room in ("training", "evaluation", "serving"):
    MAY_IMPORT[f"fgseg_tf.{room}"] = DATA_TOOLBOX | BEFORE_INFERENCE
# Footage is read from folders of pictures.
MAY_IMPORT["fgseg_tf.evaluation"].add("data_pipelines.sources")
# A page about a data set shows what was found in it.
MAY_IMPORT["fgseg_tf.report"] = {
    *DATA_TOOLBOX,
    "data_pipelines.inspection",
    "data_pipelines.tfrecord",
    "data_pipelines.compositing",
    "fgseg_tf.calibration",
    "fgseg_tf.evaluation",
    *BEFORE_INFERENCE,
}
COMMANDS = {
    *(f"fgseg_tf.{name}" for name in ("__main__", "train", "evaluate", "export", "predict")),
    "fgseg_tf.commands",
}
# The public API may use everything that it hands out.
MAY_IMPORT["fgseg_tf.api"] = {
    "data_pipelines.config",
    "data_pipelines.sources",
    "data_pipelines.runtime",
} | BEFORE_INFERENCE
MAY_IMPORT["fgseg_tf"] = {"fgseg_tf.api", "data_pipelines.config", *BEFORE_INFERENCE}
KNOW_FLAGS = {"data_pipelines.dataset_flags", "data_pipelines.runtime.cli", *COMMANDS}

# What else is held: reasons that a table of rooms cannot tell.
NEVER = {
    "data_pipelines": {"fgseg_tf", "tools"},  # data is made without knowing who learns from it
    "data_pipelines.demo": {"tensorflow", "keras"},  # drawn by numpy, in processes that start quickly
    "data_pipelines.compositing.cutout_pyramid": {"tensorflow", "keras"},
    "data_pipelines.compositing.ground": {"tensorflow", "keras"},
    "data_pipelines.compositing.floor_scale": {"tensorflow", "keras"},
    "data_pipelines.tfrecord.statistics": {"tensorflow", "keras"},
    "data_pipelines.compositing": {"keras"},
    "data_pipelines.tfrecord": {"keras"},
    "data_pipelines.tfrecord.export": {"apache_beam"},  # an extra
    "data_pipelines.teacher.network": {"tensorflow"},  # any backend of Keras
    "data_pipelines.teacher.weights": {"tensorflow"},
    "data_pipelines.teacher.keras_hub_teacher": {"tensorflow"},
    "fgseg_tf.model.two_branch": {"tensorflow"},
}


def modules_in(*folders: str) -> dict[str, Path]:
    """Returns module name -> file of everything under these folders."""
    modules = {}
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


LIBRARY = modules_in("data_pipelines", "fgseg_tf")
TOOLS = modules_in("tools")


def read_imports(text: str, module: str, is_package: bool = False) -> set[str]:
    """Returns the full names of everything that a file imports, wherever in it; `from a import b` is a and a.b."""
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


IMPORTS = {
    name: read_imports(path.read_text(), name, path.name == "__init__.py")
    for name, path in {**LIBRARY, **TOOLS}.items()
}


def is_in(name: str, rooms: set[str]) -> bool:
    """Whether a module is one of the rooms or inside of one."""
    return any(name == room or name.startswith(room + ".") for room in rooms)


def library_imports(module: str) -> set[str]:
    """Returns the modules of the library that a file imports; of packages only the one with the public API."""
    used = {name for name in IMPORTS[module] if name in LIBRARY and name != module}
    return {name for name in used if LIBRARY[name].name != "__init__.py" or name == "fgseg_tf"}


def room_of(module: str) -> str:
    """Returns the longest name of the table that a module is in."""
    return max((room for room in MAY_IMPORT if is_in(module, {room})), key=len, default="")


def test_imports_are_read():
    text = (
        "import a.b as c\nfrom d import e as f, g\ndef h():\n    from i.j import k\nfrom . import l\nfrom ..m import n"
    )
    names = {"a.b", "d", "d.e", "d.g", "i.j", "i.j.k", "p.q", "p.q.l", "p.m", "p.m.n"}
    assert read_imports(text, "p.q.r") == names
    assert read_imports("from . import l", "p.q", is_package=True) == {"p.q", "p.q.l"}
    # The files are where they are looked for.
    assert {"data_pipelines", "data_pipelines.tfrecord.schema", "data_pipelines.demo.cutouts", "fgseg_tf"} <= set(
        LIBRARY
    )
    assert "tools.export_tfrecords" in TOOLS
    assert "data_pipelines.tfrecord.schema" in library_imports("data_pipelines.tfrecord.export")


def test_the_rule_is_broken_by_what_breaks_it():
    assert is_in("data_pipelines.demo.people", {"data_pipelines.demo"})
    assert not is_in("data_pipelines.demonstration", {"data_pipelines.demo"})
    assert room_of("data_pipelines.demo.people") == "data_pipelines.demo"
    assert room_of("fgseg_tf.training.loop") == "fgseg_tf.training"
    assert not is_in("fgseg_tf.serving.client", MAY_IMPORT["fgseg_tf.training"])


@pytest.mark.parametrize("module", [name for name in LIBRARY if not is_in(name, COMMANDS)])
def test_a_room_imports_only_what_the_table_says(module):
    room = room_of(module)
    if LIBRARY[module].name == "__init__.py" and module != "fgseg_tf":
        assert not library_imports(module), "a package is a folder; its files are imported from where they are"
        return
    assert room, f"{module} is in no room of the table"
    assert {name for name in library_imports(module) if not is_in(name, MAY_IMPORT[room] | {room})} == set()


@pytest.mark.parametrize("module", list(LIBRARY))
def test_what_a_file_must_not_import(module):
    never = set().union(*(names for room, names in NEVER.items() if is_in(module, {room})))
    assert {name for name in IMPORTS[module] if is_in(name, never)} == set()


@pytest.mark.parametrize("module", [name for name in LIBRARY if not is_in(name, KNOW_FLAGS)])
def test_only_commands_know_flags(module):
    assert not [name for name in IMPORTS[module] if is_in(name, {"absl.flags", "absl.app", "argparse"})]


@pytest.mark.parametrize("module", list(LIBRARY))
def test_nobody_imports_a_command_or_a_tool(module):
    others = {name for name in IMPORTS[module] if is_in(name, {"tools", *COMMANDS})}
    assert others <= {module}


def find_circles(uses: dict[str, set[str]]) -> list[list[str]]:
    """Returns every way that comes back to where it began, found depth first."""
    circles, done = [], set()

    def walk(module, way):
        if module in way:
            circles.append([*way[way.index(module) :], module])
            return
        if module in done:
            return
        for used in sorted(uses.get(module, ())):
            walk(used, [*way, module])
        done.add(module)

    for module in uses:
        walk(module, [])
    return circles


def test_circles_are_found():
    assert find_circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c", "b"]]
    assert find_circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_nothing_imports_itself_by_a_detour():
    assert find_circles({module: library_imports(module) for module in LIBRARY}) == []


def test_names_say_what_is_inside():
    everything = {**LIBRARY, **TOOLS, **modules_in("tests")}
    bad = {path.relative_to(ROOT) for name, path in everything.items() if FORBIDDEN_NAMES & set(name.split("."))}
    bad |= {path.relative_to(ROOT) for path in everything.values() if FORBIDDEN_NAMES & set(path.stem.split("_"))}
    assert not bad


@pytest.mark.parametrize("module", [*LIBRARY, *TOOLS])
def test_every_file_says_what_it_is(module):
    assert ast.get_docstring(ast.parse({**LIBRARY, **TOOLS}[module].read_text()))


@pytest.mark.parametrize(
    "module", [name for name, path in LIBRARY.items() if ".as_numpy_iterator()" in path.read_text()]
)
def test_who_iterates_over_a_pipeline_disables_its_tuner(module):
    """An iterator may wait for the tuner at its end: see `runtime.pipelines`."""
    lines = [line for line in LIBRARY[module].read_text().splitlines() if ".as_numpy_iterator()" in line]
    assert all("disable_tuner(" in line for line in lines), lines


PREDICT_NEEDS_NOT = (
    "data_pipelines.demo",
    "data_pipelines.compositing.compose",
    "data_pipelines.teacher",
    "data_pipelines.tfrecord",
    "fgseg_tf.data",
    "fgseg_tf.training",
    "fgseg_tf.serving",
    "fgseg_tf.report",
)
MOST_MODULES_OF_PREDICT = 48


def loaded_by(statement: str) -> list[str]:
    """Returns the modules of the project that a process has loaded after a statement."""
    code = f"{statement}; import sys; print('loaded', *sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    names = next(line for line in done.stdout.splitlines() if line.startswith("loaded ")).split()[1:]
    return [name for name in names if is_in(name, {"data_pipelines", "fgseg_tf"})]


def test_predict_loads_what_a_frame_goes_through_and_no_more():
    names = loaded_by("import fgseg_tf.predict")
    assert "fgseg_tf.inference.segmenter" in names
    assert [name for name in names if is_in(name, set(PREDICT_NEEDS_NOT))] == []
    files = [name for name in names if LIBRARY[name].name != "__init__.py"]
    assert len(files) <= MOST_MODULES_OF_PREDICT, files


def test_importing_the_package_loads_nothing():
    """What it offers is loaded when it is asked for: a process may want to set up TensorFlow first."""
    code = "import fgseg_tf, sys; print('tensorflow' in sys.modules, 'keras' in sys.modules, *dir(fgseg_tf))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.stdout.split()[:2] == ["False", "False"], done.stdout + done.stderr
    assert {"load", "open_data"} <= set(done.stdout.split())


def test_docstrings_of_public_names_are_sentences():
    """A docstring stands without the name beside it: it begins with a capital letter or a quoted word, and ends."""
    bad = []
    for module, path in LIBRARY.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
                continue
            text = (ast.get_docstring(node) or "").split("\n\n")[0]
            if text and not re.search(r"[.:?!)]$", text):
                bad.append(f"{module}.{node.name}: {text}")
    assert not bad
