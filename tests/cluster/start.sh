#!/usr/bin/env bash
# Start a throw-away Slurm of one node on this machine (Debian or Ubuntu, as root):
#
#     tests/cluster/start.sh FOLDER        its state, logs and jobcomp.txt; stop it with stop.sh FOLDER
#
# CPUS (8) and GPUS (1) are what it declares; a GPU is a device file that nothing computes on.
# Ends with status 77 and a line that says why where it cannot run.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
state=${1:?name a folder for the state}
host=$(hostname -s)
gpus=${GPUS:-1}

cannot() {
    echo "$*"
    exit 77
}

[ "$(id -u)" = 0 ] || cannot "not root"
[ ! -e /etc/slurm/slurm.conf ] && [ ! -L /etc/slurm/slurm.conf ] \
    || cannot "/etc/slurm/slurm.conf is there already: this machine has a Slurm, or a killed test left its link"
if ! command -v slurmctld slurmd sbatch munged > /dev/null; then
    command -v apt-get > /dev/null || cannot "no slurmctld, and no apt-get to install it with"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends slurmctld slurmd slurm-client munge; } > /dev/null 2>&1 \
        || cannot "no slurmctld, and apt-get could not install it"
fi

mkdir -p "$state"/{ctld,slurmd} /etc/slurm
# munged and slurmd refuse folders that others may write to.
install -d -m 0711 "$state" "$state/munge"
(umask 077 && head -c 1024 /dev/urandom > "$state/munge/key")
munged --socket="$state/munge/socket" --key-file="$state/munge/key" --num-threads=2 \
    --pid-file="$state/munge/pid" --log-file="$state/munge/log" --seed-file="$state/munge/seed"

memory=$(awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo)
sed -e "s#@HOST@#$host#g; s#@STATE@#$state#g; s#@CPUS@#${CPUS:-8}#g; s#@MEMORY@#$memory#g" \
    -e "s#@GPUS@#$gpus#g" "$here/slurm.conf.in" > "$state/slurm.conf"
for ((i = 0; i < gpus; i++)); do # Slurm wants a device file for each
    [ -e "$state/gpu$i" ] || mknod "$state/gpu$i" c 1 3 || cannot "mknod is not allowed here"
    echo "NodeName=$host Name=gpu File=$state/gpu$i"
done > "$state/gres.conf"
# Where Slurm looks by itself: the executor takes SLURM_CONF out of its jobs' environment.
ln -s "$state/slurm.conf" "$state/gres.conf" /etc/slurm/

slurmctld -c
slurmd -c
for ((i = 0; i < 100; i++)); do
    if timeout 5 sinfo -h -o %T 2> /dev/null | grep -q idle; then
        exec sinfo -N -o "%N: %c CPUs, %m MB, %G"
    fi
    sleep 0.2
done
tail -n 5 "$state/slurmctld.log" "$state/slurmd.log" >&2
cannot "the node did not become idle within 20 s"
