#!/bin/sh
# Adds the package source of the PostgreSQL client tools, while the image is built.
# Usage: add-source debian | pgdg | <address of a mirror of apt.postgresql.org/pub/repos/apt>
set -eu
[ "$1" != debian ] || exit 0

address=$1
[ "$1" != pgdg ] || address=https://apt.postgresql.org/pub/repos/apt
# Debian's own package brings the key of the PostgreSQL project, so that no key is fetched on trust.
apt-get update
apt-get install --yes --no-install-recommends ca-certificates postgresql-common
cp /usr/share/postgresql-common/pgdg/apt.postgresql.org.asc /usr/share/keyrings/pgdg.asc
apt-get purge --yes --auto-remove postgresql-common
. /etc/os-release
echo "deb [signed-by=/usr/share/keyrings/pgdg.asc] $address $VERSION_CODENAME-pgdg main" >/etc/apt/sources.list.d/pgdg.list
# A major that gets no fixes any more moves to the archive, some months after its end.
if [ "$1" = pgdg ]; then
  echo "deb [signed-by=/usr/share/keyrings/pgdg.asc] https://apt-archive.postgresql.org/pub/repos/apt" \
    "$VERSION_CODENAME-pgdg-archive main" >>/etc/apt/sources.list.d/pgdg.list
fi
