"""From an example's number to its composite: placement, blending, depth labels, splits."""
