"""Several predictions in one process, one of which is asked to stop: `python -c PREDICT_EACH FRAMES ARGUMENTS...`.

FRAMES is how many frames are looked at before SIGTERM comes; 0 for never. Each of ARGUMENTS is a command line.
"""

PREDICT_EACH = """
import os, signal, sys
from fgseg_tf import predict
from absl import flags
from data_pipelines.runtime.signals import Stopped, listen
from fgseg_tf.inference import prediction_files, prediction_tables

prediction_tables.SECONDS_BETWEEN_WRITES = 0.0
make_row, asked = prediction_files.make_row, int(sys.argv[1])

def count(name, result):
    global asked
    asked -= 1
    if asked == 0:
        os.kill(os.getpid(), signal.SIGTERM)
    return make_row(name, result)

prediction_files.make_row = count
for arguments in sys.argv[2:]:
    flags.FLAGS.unparse_flags()
    flags.FLAGS(["predict", *arguments.split()])
    try:
        with listen():
            print(predict.predict(), flush=True)
    except (Stopped, ValueError) as error:
        print(error.describe() if isinstance(error, Stopped) else error, getattr(error, "status", 1), flush=True)
"""
