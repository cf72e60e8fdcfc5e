"""The drawing page: the sketchpad, the answer and what explains it."""
