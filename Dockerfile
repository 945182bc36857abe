# syntax=docker/dockerfile:1
#
# Two images: `gateway` (the default; also the worker) and `anvil`, a development chain.
# The gateway's libraries come from requirements.lock by hash alone; it runs as a user without rights of its own.

FROM python:3.12-slim-bookworm AS venv
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/consentry
WORKDIR /source
COPY requirements-build.lock requirements.lock ./
RUN /opt/consentry/bin/pip install --require-hashes --only-binary :all: -r requirements-build.lock \
    && /opt/consentry/bin/pip install --require-hashes --no-build-isolation --use-pep517 -r requirements.lock
COPY pyproject.toml README.md ./
COPY gateway gateway
COPY schema schema
COPY anchoring anchoring
RUN /opt/consentry/bin/pip install --no-deps --no-build-isolation . && /opt/consentry/bin/pip check

FROM node:20-bookworm-slim AS anvil
WORKDIR /opt/anvil
COPY tests/servers/pins/npm/package.json tests/servers/pins/npm/package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund --omit-lockfile-registry-resolved \
    && ln -s /opt/anvil/node_modules/.bin/anvil /usr/local/bin/anvil \
    && install -d -o node -g node /data
USER node
VOLUME /data
ENTRYPOINT ["anvil"]

FROM python:3.12-slim-bookworm AS gateway
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /nonexistent consentry \
    && install -d -m 0700 -o consentry -g consentry /var/lib/consentry
COPY --from=venv /opt/consentry /opt/consentry
# libpq reads a password from a file of its own form and of mode 0600 only; a mounted secret is neither.
COPY --chmod=0755 <<'SCRIPT' /usr/local/bin/with-postgres-password
#!/bin/sh
set -eu
if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then
    umask 077
    printf '*:*:*:*:%s\n' "$(sed 's/[\\:]/\\&/g' "$POSTGRES_PASSWORD_FILE")" >"$PGPASSFILE"
fi
exec "$@"
SCRIPT
ENV PATH=/opt/consentry/bin:$PATH PYTHONUNBUFFERED=1 CONSENTRY_DATA_DIR=/var/lib/consentry PGPASSFILE=/tmp/pgpass
USER consentry
WORKDIR /var/lib/consentry
VOLUME /var/lib/consentry
EXPOSE 8000
ENTRYPOINT ["with-postgres-password"]
CMD ["consentry", "serve"]
