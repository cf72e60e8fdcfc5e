"""What a visitor sees, and what a program calls."""
