"""What TF Serving gets: the SavedModel, warm-up requests, configuration; other formats; a client."""
