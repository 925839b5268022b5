#!/usr/bin/env bash
# Stop the Slurm that start.sh started with this folder, and all its jobs: by pid files, no one else's.
state=${1:?name the folder given to start.sh}

if [ -S "$state/munge/socket" ] && [ -s "$state/slurmctld.pid" ]; then
    timeout 20 scancel --signal=KILL --full --user=root 2> /dev/null
    timeout 20 scancel --user=root 2> /dev/null
    for ((i = 0; i < 100; i++)); do
        [ -z "$(timeout 5 squeue -h -t R,CG 2> /dev/null)" ] && break
        sleep 0.2
    done
fi
for file in "$state"/{slurmd.pid,slurmctld.pid,munge/pid}; do
    pid=$(cat "$file" 2> /dev/null) || continue
    kill "$pid" 2> /dev/null || continue
    for ((i = 0; i < 100; i++)); do
        kill -0 "$pid" 2> /dev/null || continue 2
        sleep 0.1
    done
    kill -9 "$pid" 2> /dev/null
done
for name in slurm.conf gres.conf; do
    [ "$(readlink "/etc/slurm/$name")" = "$state/$name" ] && rm -f "/etc/slurm/$name"
done
rmdir /etc/slurm 2> /dev/null
exit 0
