"""What is done to the program on purpose: kills, damages, mutants of pictures, strangers' folders, many requests."""
