# One image for every role: `docker run turnkeep gateway`, `… worker`; docker-compose.yml runs both in one.
FROM node:24-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci
COPY . .
RUN npm run build && npm prune --omit=dev

FROM node:24-slim
ENV NODE_ENV=production TURNKEEP_DATA_DIR=/data
WORKDIR /app
# Temporal's SDK needs the system's certificates for a server with TLS.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/bin ./bin
COPY --from=build /app/dist ./dist
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 8484
# Not through npm, so that SIGTERM reaches turnkeep itself, which drains.
ENTRYPOINT ["node", "bin/turnkeep.js"]
CMD ["dev"]
