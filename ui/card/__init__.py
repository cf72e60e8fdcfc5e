"""The page "Model card": the text of a card and its plots."""
