"""HTML pages: the report of an evaluation, the page of a data set."""
