"""A frame's way through the network, at the frame's own size, and the files that come of it."""
