#!/usr/bin/env bash
# `make cluster-test`: a Slurm of one node, the demo on it, disturbed; ends with its last daemon.
# Where that cannot be it prints "skipped: " and why, with status 0. `KEEP=1` leaves the folder.
set -uo pipefail

here=$(cd "$(dirname "$0")" && pwd)
state=$(mktemp -d /tmp/edn-cluster.XXXXXX)
chmod 711 "$state" # munged looks at every folder above its socket

finish() {
    bash "$here/stop.sh" "$state/slurm"
    if [ -n "${KEEP:-}" ]; then echo "kept: $state"; else rm -rf "$state"; fi
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

said=$(bash "$here/start.sh" "$state/slurm")
case $? in
    0) echo "$said" ;;
    77) echo "skipped: $(tail -n 1 <<< "$said")" && exit 0 ;;
    *) echo "$said" && exit 1 ;;
esac
python "$here/check.py" "$state" "$@"
