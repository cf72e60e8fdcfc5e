.PHONY: check test bench serve image image-test replicas-test

check:
	ruff format --check .
	ruff check .
	ty check
	oxfmt --check ui
	oxlint --deny-warnings ui
	npm exec --yes --package=typescript@7.0.2 -- tsc --project jsconfig.json
	hadolint Dockerfile
	shellcheck deploy/slurm/*.sbatch

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

replicas-test:
	.ci/replicas-test
