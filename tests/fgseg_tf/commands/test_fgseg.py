"""`fgseg` itself: what it says before any command runs."""

import subprocess
import sys

from repository import ROOT


def test_a_reader_may_have_seen_enough():
    """As `fgseg --help | head -1` has: no traceback of a broken pipe."""
    command = [sys.executable, "-m", "fgseg_tf", "--help"]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout
    assert running.stderr
    running.stdout.close()
    assert running.stderr.read() == ""
    assert running.wait(60) == 0
