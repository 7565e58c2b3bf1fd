# One image for every process: worker, webhook, simulator and the command line.
FROM python:3.12-slim AS build

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1 UV_PYTHON_DOWNLOADS=never
WORKDIR /source

COPY requirements requirements
# With bytecode, since the user below may not write it: then each start would compile anew.
RUN pip install --require-hashes --requirement requirements/uv.txt \
    && uv venv /opt/antom-refunds \
    && uv pip install --compile-bytecode --require-hashes --python /opt/antom-refunds/bin/python \
        --requirement requirements/run.txt

# The build backend has its pin and its hashes in dev.txt; it does not reach the image below.
RUN uv venv /opt/build \
    && uv pip install --verify-hashes --python /opt/build/bin/python \
        --constraint requirements/dev.txt hatchling

COPY pyproject.toml README.md LICENSE worker.py ./
COPY antom_refunds antom_refunds
COPY workflows workflows
COPY activities activities
COPY starter starter
COPY app app
RUN for project in . app; do \
        uv build --wheel --no-build-isolation --python /opt/build/bin/python --out-dir /wheel $project || exit 1; \
    done \
    && uv pip install --compile-bytecode --no-deps --no-index --python /opt/antom-refunds/bin/python /wheel/*.whl


FROM python:3.12-slim

# /keys belongs to the user, so that a fresh volume mounted there does as well.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin antom-refunds \
    && install --directory --owner antom-refunds --mode 700 /keys
COPY --from=build /opt/antom-refunds /opt/antom-refunds

ENV PATH=/opt/antom-refunds/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    ANTOM_REFUNDS_HEALTH_LISTEN=127.0.0.1:9101
USER antom-refunds
WORKDIR /tmp

# The worker's; other commands do not listen there, so give them another check or none.
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9101/ready', timeout=4)"]

ENTRYPOINT ["antom-refunds"]
CMD ["worker"]
