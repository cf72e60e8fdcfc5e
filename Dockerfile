# The digest is that of the index, so that it holds for each architecture.
ARG BASE=docker.io/library/python:3.11.17-slim-trixie@sha256:45037981b62b34b44602584fccbc4d884d5f7dc92c7ee86bb38a698a79fe1e51

FROM ${BASE} AS build

# PyTorch has an index for the CPU, and one for each CUDA: PIP_EXTRA_INDEX_URL is the address of
# one, and TORCH says which it is, cpu or cuda. PyPI's own torch for Linux brings CUDA, 5 GB of it:
# such an image is not made unless it is asked for.
ARG PIP_EXTRA_INDEX_URL
ARG TORCH=cpu
WORKDIR /build
COPY requirements.txt ./
# Nothing is compiled here: headers, static libraries, compilers and tests go, licences stay. Of
# torch/bin, torch looks for torch_shm_manager when it is imported. The root may be read-only, so
# the byte code is written now, and is never checked against its source; some files of some packages
# are for newer Pythons, and have none.
RUN python3 -m venv --without-pip /opt/venv \
    && python3 -m pip --python /opt/venv/bin/python install --no-cache-dir --no-compile \
        -r requirements.txt \
    && if [ "$TORCH" != cuda ] \
        && [ "$(/opt/venv/bin/python -c 'import torch; print(torch.version.cuda)')" != None ]; then \
        echo "error: this torch brings CUDA. Give the address of PyTorch's CPU index by \
--build-arg PIP_EXTRA_INDEX_URL=..., or ask for CUDA by --build-arg TORCH=cuda." >&2; exit 1; \
    fi \
    && find /opt/venv -name '*.dist-info' -prune -o \
        -type d \( -name tests -o -name include -o -path '*/torch/test' \) -prune \
        -exec rm -r {} + \
    && find /opt/venv -type f \( -name '*.a' -o -path '*/torch/bin/*' \) \
        ! -name torch_shm_manager -delete \
    && { /opt/venv/bin/python -m compileall -qq -j 0 --invalidation-mode unchecked-hash /opt/venv \
        || true; }

WORKDIR /app
COPY LICENSE THIRD_PARTY_NOTICES.md app.py ./
COPY lesson ./lesson
COPY model ./model
COPY server ./server
COPY ui ./ui
RUN chmod -R a+rX . \
    && /opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash .


FROM ${BASE}

# The base comes without the byte code of Python's own library: 0.4 s of each start.
RUN useradd --create-home --uid 1000 user \
    && python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash -x site-packages \
        "$(python3 -c 'import os; print(os.path.dirname(os.__file__))')"
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app

WORKDIR /app
USER 1000
# What a model of the Hub needs of disk lies where a read-only root has some.
ENV PATH=/opt/venv/bin:$PATH \
    GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    GRADIO_ANALYTICS_ENABLED=False \
    HF_HOME=/tmp/huggingface
EXPOSE 7860
# Not urllib: it would ask a proxy that the environment names.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["python", "-c", \
    "import http.client, os, sys; \
server = http.client.HTTPConnection('127.0.0.1', int(os.environ['GRADIO_SERVER_PORT']), timeout=4); \
server.request('GET', '/health'); \
sys.exit(server.getresponse().status != 200)"]
CMD ["python", "app.py"]

ARG BASE
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Draw a digit" \
    org.opencontainers.image.description="A small ReLU network reads your digit and shows every number on the way" \
    org.opencontainers.image.licenses="Apache-2.0" \
    org.opencontainers.image.base.name="${BASE}" \
    org.opencontainers.image.revision="${REVISION}"
