"""Looking at a finished data set: verification, statistics of labels, contact sheets, loose files."""
