# Wheel in one stage, service in the other: neither sources nor build tools reach the image that runs.
FROM python:3.13-slim AS build
WORKDIR /build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements-build.lock requirements.lock ./
RUN pip install --require-hashes -r requirements-build.lock \
    && pip wheel --require-hashes --no-build-isolation --wheel-dir wheels -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY migrations migrations
COPY src src
RUN pip wheel --no-deps --no-build-isolation --wheel-dir wheels . \
    && python -m venv /opt/caseflow \
    && /opt/caseflow/bin/pip install --no-index --find-links wheels caseflow

FROM python:3.13-slim
COPY --from=build /opt/caseflow /opt/caseflow
# Volumes take the owner of the folder they are first mounted on.
RUN useradd --system --home-dir /var/lib/caseflow --create-home caseflow \
    && install -d -o caseflow -g caseflow -m 0700 \
        /var/lib/caseflow/records /var/lib/caseflow/keys /var/lib/caseflow/secrets /var/lib/caseflow/ledger
ENV PATH=/opt/caseflow/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CASEFLOW_HOST=0.0.0.0 \
    CASEFLOW_PORT=8000 \
    CASEFLOW_DATABASE_URL=sqlite:////var/lib/caseflow/records/caseflow.db \
    CASEFLOW_KEYS_URL=sqlite:////var/lib/caseflow/keys/caseflow-keys.db \
    CASEFLOW_MASTER_KEY_FILE=/var/lib/caseflow/secrets/caseflow-master.key \
    CASEFLOW_SIGNING_KEY_FILE=/var/lib/caseflow/secrets/caseflow-signing.key \
    CASEFLOW_LEDGER_FILE=/var/lib/caseflow/ledger/caseflow-ledger.ndjson
USER caseflow
WORKDIR /var/lib/caseflow
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['CASEFLOW_PORT'] + '/healthz', timeout=2)"]
ENTRYPOINT ["caseflow"]
CMD ["serve"]
