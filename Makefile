.PHONY: check test bench serve image

check:
	ruff format --check .
	ruff check .
	ty check
	oxfmt --check ui/*.js
	oxlint --deny-warnings --allow no-unused-vars ui

test:
	pytest

bench:
	python -m benchmarks.reading
	python -m benchmarks.training

serve:
	python app.py

image:
	docker build -t draw-a-digit .
