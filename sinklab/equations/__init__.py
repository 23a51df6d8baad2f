"""One equation text: read safely, held as a tree, turned into numbers, derivatives and print."""
