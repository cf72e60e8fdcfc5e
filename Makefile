.PHONY: check test bench serve image image-test

check:
	ruff format --check .
	ruff check .
	ty check
	oxfmt --check ui/*.js
	oxlint --deny-warnings --allow no-unused-vars ui
	hadolint Dockerfile

test:
	pytest

bench:
	python -m benchmarks.reading
	python -m benchmarks.training

serve:
	python app.py

image:
	docker build --build-arg PIP_EXTRA_INDEX_URL --build-arg TORCH \
		--build-arg REVISION=$$(git rev-parse HEAD) -t draw-a-digit .

image-test:
	.ci/image-test
