"""What is known of a fixed camera: its background, how far everything in it is, and how sure that is."""
