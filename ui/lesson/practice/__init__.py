"""Training a network from the page, as part of the lesson."""
