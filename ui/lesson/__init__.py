"""The page "How it works": a lesson that computes with the visitor's drawing."""
