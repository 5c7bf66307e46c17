# One image for every role: `docker run turnkeep` is all in one on one machine, docker-compose.yml a cluster (docs/deploy.md).
FROM node:24.21.0-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npm run build && npm prune --omit=dev && node scripts/prune-native.ts

FROM node:24.21.0-slim
# A container's own loopback is reached by nobody, so it listens everywhere: without TURNKEEP_API_KEYS it does not start.
ENV NODE_ENV=production TURNKEEP_HOST=0.0.0.0 TURNKEEP_DATA_DIR=/data
# What `dev` fetches, and compiled code, outlive the container with the data.
ENV XDG_CACHE_HOME=/data/cache
WORKDIR /app
# Temporal's SDK needs the system's certificates for a server with TLS.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
COPY --from=build /app/package.json /app/LICENSE /app/scripts/healthcheck.js /app/scripts/demo-model.js ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/bin ./bin
COPY --from=build /app/dist ./dist
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 8484
# A first `dev` fetches Temporal's dev server (44 MB).
HEALTHCHECK --interval=5s --timeout=5s --start-period=120s --retries=3 CMD ["node", "healthcheck.js"]
# Not through npm, so that SIGTERM reaches turnkeep itself, which drains.
ENTRYPOINT ["node", "bin/turnkeep.js"]
CMD ["dev"]
