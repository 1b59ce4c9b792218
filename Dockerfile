# CareerLens Jobs in one image, for all its processes: `docker run careerlens api | worker | socket`.
# Dockerfile.worker and Dockerfile.socket are this file with another last line (`make dockerfiles`).

FROM node:22-slim AS page
WORKDIR /src/web
COPY web/package.json web/package-lock.json ./
COPY web/packages/jobs-react/package.json packages/jobs-react/
COPY web/apps/console/package.json apps/console/
RUN npm ci --no-audit --no-fund
COPY web ./
RUN npm run build

FROM python:3.13-slim AS package
WORKDIR /src
COPY requirements.lock requirements-build.lock ./
RUN python -m venv /opt/careerlens \
    && /opt/careerlens/bin/pip install --no-cache-dir --require-hashes -r requirements.lock \
    && pip install --no-cache-dir --require-hashes -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
COPY --from=page /src/src/careerlens/api/static ./src/careerlens/api/static
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/careerlens/bin/pip install --no-cache-dir --no-deps /wheels/*.whl

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /data --create-home careerlens
COPY --from=package /opt/careerlens /opt/careerlens
ENV PATH=/opt/careerlens/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    CAREERLENS_ENV=production \
    CAREERLENS_HOME=/data \
    WORKER_HEALTH_PORT=3002
USER careerlens
WORKDIR /data
VOLUME /data
EXPOSE 3000 3001
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s CMD ["careerlens", "health"]
ENTRYPOINT ["careerlens"]
CMD ["api"]
