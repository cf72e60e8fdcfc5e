"""The model card: its template, its figures and plots, and the command that writes it."""

from training.card.render import (
    CARD_FILE,
    PLOTS,
    card_text,
    check_evaluation,
    render_card,
    write_card,
)

__all__ = ["CARD_FILE", "PLOTS", "card_text", "check_evaluation", "render_card", "write_card"]
