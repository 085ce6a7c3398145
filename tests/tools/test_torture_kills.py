"""The torture notices a command that does not end as an undisturbed one, and one that writes nothing."""

import pytest
from torturing.kills import Victim, torment
from torturing.outcome import Chamber

WRITE = "import os, sys, time; os.makedirs(sys.argv[1], exist_ok=True); "
DONE = "open(sys.argv[1] + '/out', 'w').write('done')"
# Goes on where it was, and says how often it was begun.
FORGETFUL = f"{WRITE}open(sys.argv[1] + '/out', 'a').write('x'); time.sleep(1)"
STEADY = f"{WRITE}time.sleep(1); {DONE}"
QUICK = f"{WRITE}{DONE}"


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        (STEADY, ""),
        (FORGETFUL, "did not make the same files"),
        ("import time; time.sleep(1)", "the undisturbed one wrote nothing to compare"),
        (f"{QUICK}; sys.exit(3)", "the undisturbed one ended with status 3"),
    ],
)
def test_what_comes_of_kills(tmp_path, script, failure):
    victim = Victim("a script", 2, lambda folder: ["-c", script, str(folder)], ("out",))
    outcome = torment(victim, Chamber(tmp_path, seed=1, share=1.0))
    assert outcome.tried == 2
    assert bool(outcome.failures) == bool(failure)
    assert all(failure in each for each in outcome.failures)
