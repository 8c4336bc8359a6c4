# docker build -t rankloop . && docker run -e RANKLOOP_KEY=... -p 8000:8000 -p 7860:7860 -v rankloop:/data \
#   --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges rankloop
FROM python:3.11-slim

# May take a CUDA build of several GB; for a CPU one: --build-arg TORCH_INDEX=<PyTorch's CPU builds>
ARG TORCH_INDEX=
RUN pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch==2.13.0

WORKDIR /app
COPY pyproject.toml README.md rankloop*.py ./
COPY server server
COPY policy policy
COPY feedback feedback
COPY learner learner
COPY ui ui
RUN pip install --no-cache-dir .[postgres,lora]

RUN useradd --create-home rankloop && mkdir /data && chown rankloop /data
USER rankloop
WORKDIR /home/rankloop
# The decode step is compiled for the processor that it meets, and kept with the data.
ENV RANKLOOP_DATA=/data HF_HOME=/data/hub NUMBA_CACHE_DIR=/data/compiled
VOLUME /data
EXPOSE 8000 7860

HEALTHCHECK --interval=15s --timeout=5s --start-period=60s CMD \
    ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]

# Others can reach 0.0.0.0, so this ends with the line to type where RANKLOOP_KEY is missing.
CMD ["rankloop", "up", "--host", "0.0.0.0"]
