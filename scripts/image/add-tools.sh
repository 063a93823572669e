#!/bin/sh
# Installs the PostgreSQL client tools of each major and leaves the programs that Dormouse starts in /tools/<major>/bin.
# Usage: add-tools <major>...
set -eu
apt-get update
for major in "$@"; do
  apt-get install --yes --no-install-recommends "postgresql-client-$major" || {
    echo "The package source has no PostgreSQL $major: choose others in PG_MAJORS, or another PG_SOURCE." >&2
    exit 1
  }
  mkdir -p "/tools/$major/bin"
  for tool in pg_dump pg_restore psql; do cp "/usr/lib/postgresql/$major/bin/$tool" "/tools/$major/bin/"; done
done
