#!/usr/bin/env bash
# Makes the base image of the Dockerfile out of Debian's packages, where no registry can be reached. Needs root,
# mmdebstrap and buildah; a base image that buildah has already is left as it is.
set -euo pipefail
image=docker.io/library/debian:bookworm-slim
if buildah inspect --type image "$image" >/dev/null 2>&1; then exit; fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mmdebstrap --quiet --variant=minbase bookworm "$folder/root"
container=$(buildah from scratch)
buildah add --quiet "$container" "$folder/root" /
buildah commit --quiet --rm "$container" "$image"
