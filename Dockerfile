# One image for every function; the arguments of a container choose which: `backup/index.mjs`, `cull/index.mjs`,
# `restore/index.mjs`. Build it with `npm run image`, which makes the bundles and fetches Node first.
#
# BASE_IMAGE  a Debian; nothing else is pulled.
# PG_SOURCE   where the client tools come from: `pgdg`, the PostgreSQL project's own packages, which has every major;
#             `debian`, the distribution's, which has one; or the address of a mirror of apt.postgresql.org.
# PG_MAJORS   majors to put in, of those that the source has. A server is dumped by the tools of its own major.
ARG BASE_IMAGE=docker.io/library/debian:bookworm-slim

FROM ${BASE_IMAGE} AS source
ARG PG_SOURCE=pgdg
COPY --chmod=0755 scripts/image/add-source.sh /usr/local/bin/add-source
RUN add-source "$PG_SOURCE"

# The packages of the tools want Perl, for wrappers that are not used here: only the programs leave this stage.
FROM source AS tools
ARG PG_MAJORS="13 14 15 16 17 18"
COPY --chmod=0755 scripts/image/add-tools.sh /usr/local/bin/add-tools
RUN add-tools $PG_MAJORS

FROM source
# What the tools are linked with. libpq5 is always of the newest major, and serves all of them.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates libpq5 libreadline8 libzstd1 liblz4-1 zlib1g \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* /usr/local/bin/add-source
COPY --from=tools /tools/ /usr/lib/postgresql/
COPY --chmod=0755 .image/node /usr/local/bin/node
COPY dist/ /app/
# Fails the build, not the first backup, when a library is missing.
RUN for tool in /usr/lib/postgresql/*/bin/*; do "$tool" --version || exit 1; done && node --version

# Any UID will do, as OpenShift gives one of its own. Group 0 is what such a UID gets there. Nothing below / is written:
# mount an emptyDir on /tmp.
USER 65532:0
WORKDIR /app
ENV HOME=/tmp NODE_ENV=production
# What passes through is soon done with: by itself Node would keep up to 48 MiB of it for later, by this 3.
ENV NODE_OPTIONS=--max-semi-space-size=1
EXPOSE 8080
# Node is PID 1 and handles SIGTERM itself.
ENTRYPOINT ["/usr/local/bin/node"]
CMD ["backup/index.mjs"]
