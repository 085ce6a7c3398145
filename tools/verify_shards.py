"""Reads a data set back and says whether it is what its manifest says.

    python tools/verify_shards.py DIR

Exit status 0 and a summary when everything is right; 1 and a list when something is wrong; 2 and one sentence when
there is nothing that can be looked at: no data set, one that is not finished, or one of another schema.
"""

import os
import sys

# Before TensorFlow is loaded: its remarks about this machine would hide ours.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from absl import app, flags

from data_pipelines.refusals import REFUSALS, sentence
from data_pipelines.verification import Verdict, verify

_PROBLEMS = flags.DEFINE_integer("problems", 20, "How many problems to print; the rest are counted.", lower_bound=1)


def main(argv):
    if len(argv) != 2:
        raise ValueError("give one folder: python tools/verify_shards.py DIR")
    verdict = verify(argv[1])
    if verdict.problems:
        print_problems(argv[1], verdict)
        return 1
    print_summary(argv[1], verdict)
    return 0


def print_problems(folder: str, verdict: Verdict) -> None:
    count, shown = len(verdict.problems), verdict.problems[: _PROBLEMS.value]
    print(f"{folder} is not what its manifest says: {count} problem{'s' * (count > 1)}")
    for problem in shown:
        print(f"  {problem}")
    if count > len(shown):
        print(f"  and {count - len(shown)} more (--problems={count} shows all)")


def print_summary(folder: str, verdict: Verdict) -> None:
    catalogue = verdict.catalogue
    manifest, grid = catalogue.manifest, catalogue.grid
    print(
        f"{folder} is intact: {manifest['records']:,} composites of {grid.backgrounds} backgrounds x "
        f"{grid.foregrounds} cut-outs, {catalogue.height} x {catalogue.width}, {manifest['bytes'] / 1e6:,.1f} MB in "
        f"{len(catalogue.files) + 1} files"
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


def run():
    try:
        app.run(main, flags_parser=flags.FLAGS)
    except (*REFUSALS, flags.Error) as error:
        print(f"verify_shards: {sentence(error)}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    run()
