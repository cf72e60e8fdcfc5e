FROM python:3.11-slim

RUN useradd --create-home --uid 1000 user
WORKDIR /home/user/app

# PyPI's torch for Linux brings several GB of CUDA; the address of PyTorch's CPU index, given as
# --build-arg PIP_EXTRA_INDEX_URL=..., makes the image small.
ARG PIP_EXTRA_INDEX_URL
COPY requirements.txt ./
RUN pip install --no-cache-dir -r requirements.txt

COPY --chown=user app.py LICENSE README.md ./
COPY --chown=user model ./model
COPY --chown=user server ./server
COPY --chown=user ui ./ui

USER 1000
ENV GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    GRADIO_ANALYTICS_ENABLED=False
EXPOSE 7860
STOPSIGNAL SIGINT
CMD ["python", "app.py"]
