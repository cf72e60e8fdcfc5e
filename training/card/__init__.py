"""The model card: its template, figures and plots, and the command that writes it."""

from training.card.render import CARD_FILE, PLOTS, check_evaluation, render, text, write

__all__ = ["CARD_FILE", "PLOTS", "check_evaluation", "render", "text", "write"]
