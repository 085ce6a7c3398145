"""Reads a data set back and says whether it is what its manifest says.

    fgseg verify-data DIR

In a clone, `python tools/verify_shards.py` does the same.

Exit status 0 and a summary when everything is right; 1 and a list when something is wrong; 2 and one sentence when
there is nothing that can be looked at: no data set, one that is not finished, or one of another schema.
"""

from data_pipelines.runtime import startup  # noqa: F401 (before TensorFlow is loaded)

# isort: split

from absl import flags

from data_pipelines.inspection.verify import Verdict, verify
from data_pipelines.runtime.cli import run_folder_command

_PROBLEMS = flags.DEFINE_integer("problems", 20, "How many problems to print; the rest are counted.", lower_bound=1)


def main() -> None:
    """Runs the command."""
    run_folder_command(verify_folder, __name__)


def verify_folder(folder: str) -> int:
    """Prints what is wrong with a data set, or what is in it; returns the exit status."""
    verdict = verify(folder)
    if verdict.problems:
        print_problems(folder, verdict)
        return 1
    print_summary(folder, verdict)
    return 0


def print_problems(folder: str, verdict: Verdict) -> None:
    """Prints what is wrong with a data set, the first --problems=N of it."""
    count, shown = len(verdict.problems), verdict.problems[: _PROBLEMS.value]
    print(f"{folder} is not what its manifest says: {count} problem{'s' * (count > 1)}")
    for problem in shown:
        print(f"  {problem}")
    if count > len(shown):
        print(f"  and {count - len(shown)} more (--problems={count} shows all)")


def print_summary(folder: str, verdict: Verdict) -> None:
    """Prints what is in a data set that is intact."""
    dataset = verdict.dataset
    manifest, grid = dataset.manifest, dataset.grid
    print(
        f"{folder} is intact: {manifest['records']:,} composites of {grid.backgrounds} backgrounds x "
        f"{grid.foregrounds} cut-outs, {dataset.height} x {dataset.width}, {manifest['bytes'] / 1e6:,.1f} MB in "
        f"{len(dataset.files) + 1} files"
    )
    print("  " + ", ".join(f"{name} {split['records']:,}" for name, split in manifest["splits"].items()))
    mask, depth = manifest["statistics"]["mask"], manifest["statistics"]["depth"]
    print(
        f"  the mask covers {mask['mean']:.1%}, the mean depth is {depth['mean']:.1f} {manifest['depth_unit']}s, "
        f"labels {manifest['labels']}"
    )
    for remark in verdict.remarks:
        print(f"  {remark}")
    print(f"  read back in {verdict.seconds:.1f} s, {verdict.records / verdict.seconds:,.0f} records/s")


if __name__ == "__main__":
    main()
