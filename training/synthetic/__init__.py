"""Synthetic digits and outliers: their strokes, how they are rendered, and their cache."""
