"""What TF Serving is started with: files beside the versions, in DIR/serving. Those that are there are left alone."""

import tensorflow as tf

from data_pipelines.runtime.files import join_path

FOLDER = "serving"
NAME = "fgseg"  # that the model is served under, unless told otherwise

MODELS = """\
# For tensorflow_model_server --model_config_file; the newest version is served.
model_config_list {{
  config {{
    name: "{name}"
    base_path: "/models/{name}"
    model_platform: "tensorflow"
    model_version_policy {{ latest {{ num_versions: 1 }} }}
  }}
}}
"""

BATCHING = """\
# For tensorflow_model_server --batching_parameters_file: requests that come together are answered together. Only for
# clients that all send pictures of one size, or files (serving_bytes), and as many empty scenes as frames: the server
# puts their arrays side by side, and refuses all of them if that cannot be done.
max_batch_size { value: 8 }
batch_timeout_micros { value: 2000 }
max_enqueued_batches { value: 64 }
num_batch_threads { value: 2 }
allowed_batch_sizes: 1
allowed_batch_sizes: 2
allowed_batch_sizes: 4
allowed_batch_sizes: 8
"""

COMPOSE = """\
# docker compose -f {folder}/{serving}/compose.yaml up
# docker compose -f {folder}/{serving}/compose.yaml --profile batching up {name}-batching
services:
  {name}: &server
    image: tensorflow/serving
    command:
      - --model_config_file=/models/{name}/{serving}/models.config
      - --rest_api_timeout_in_ms=60000
    ports:
      - "8500:8500" # gRPC
      - "8501:8501" # REST
    volumes:
      - ..:/models/{name}:ro
  {name}-batching:
    <<: *server
    profiles: [batching]
    command:
      - --model_config_file=/models/{name}/{serving}/models.config
      - --rest_api_timeout_in_ms=60000
      - --enable_batching
      - --batching_parameters_file=/models/{name}/{serving}/batching.config
"""


def write(folder: str, name: str) -> list[str]:
    """Answers the paths of what was not there before."""
    texts = {
        "models.config": MODELS.format(name=name),
        "batching.config": BATCHING,
        "compose.yaml": COMPOSE.format(name=name, folder=folder, serving=FOLDER),
    }
    written = []
    tf.io.gfile.makedirs(join_path(folder, FOLDER))
    for file, text in texts.items():
        where = join_path(folder, FOLDER, file)
        if not tf.io.gfile.exists(where):
            with tf.io.gfile.GFile(where, "w") as opened:
                opened.write(text)
            written.append(where)
    return written
