#!/usr/bin/env bash
# Boots a cluster of one machine, runs the tests that need one, and ends it, where the scripts for that are and their
# programs are compiled already. Elsewhere it says that it left the tests out.
#   CLUSTER_SCRIPTS  folder of the scripts `up`, `down` and `load-image`
set -euo pipefail
cd "$(dirname "$0")/../.."
scripts=$(realpath -m "${CLUSTER_SCRIPTS:-../shared/cluster}")
programs=${CLUSTER_CACHE:-$HOME/.cache/real-cluster}/bin

leave_out() { echo "The tests on a cluster are left out: $*"; exit 0; }
[[ -x $scripts/up ]] || leave_out "there is nothing that boots one."
[[ $EUID == 0 ]] || leave_out "booting one needs root."
for program in kube-apiserver kubelet serving-webhook eventing-jobsink pause; do
  [[ -x $programs/$program ]] || leave_out "its programs are not compiled."
done
command -v kubectl >/dev/null || leave_out "kubectl is missing."
[[ ! -e /run/netns/cluster ]] || leave_out "one is up already, and it is not ours to end."

missing=()
for package in buildah crun mmdebstrap curl gpg gpg-agent jq; do dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package"); done
if ((${#missing[@]})); then
  apt-get -o DPkg::Lock::Timeout=300 update -qq
  DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -qq -y --no-install-recommends "${missing[@]}"
fi

trap '"$scripts/down"' EXIT
export KUBECONFIG=${CLUSTER_STATE:-/var/lib/real-cluster}/kubeconfig LOAD_IMAGE=$scripts/load-image
export BUILDAH_ISOLATION=${BUILDAH_ISOLATION:-chroot}
export IMAGE_OPTIONS="--pull=never --build-arg PG_SOURCE=debian --build-arg PG_MAJORS=15"
# Both take a minute, and neither needs the other.
scripts/cluster/base-image.sh &
base=$!
# On a busy machine a webhook may be asked before it listens: a boot that failed is tried once more.
"$scripts/up" || { "$scripts/down"; "$scripts/up"; } || { echo "The cluster did not come up." >&2; exit 1; }
wait "$base"
npm run test:cluster
