#!/usr/bin/env bash
# down.sh FOLDER: end the cluster that `up.sh FOLDER` started, with its jobs. The folder stays, with the logs in it.
#
# A daemon is known by its process id and start time, a job's process by its environment: nothing else is touched.
set -euo pipefail

say() { printf 'slurm down: %s\n' "$*" >&2; }
[ $# = 1 ] || { say "which cluster? down.sh FOLDER, with the folder of up.sh"; exit 2; }
[ -d "$1/pid" ] || { say "no cluster in $1"; exit 0; }
folder=$(cd "$1" && pwd -P)
export SLURM_CONF=$folder/slurm.conf
exec 9>"$folder/lock"
flock -w 120 9 || { say "another up.sh or down.sh works in $folder"; exit 1; }

start_time() { awk '$0 !~ /\) [ZX] / {print $(NF-30)}' "/proc/$1/stat" 2>/dev/null; }
alive() { # NAME
  local started
  [ -s "$folder/pid/$1" ] && read -r pid started <"$folder/pid/$1" && [ "$(start_time "$pid")" = "$started" ]
}
stop() { # NAME
  local pid tries=100
  ! alive "$1" || kill -TERM "$pid"
  while alive "$1" && [ $((tries -= 1)) -gt 0 ]; do sleep 0.1; done
  ! alive "$1" || { say "$1 does not stop, killing it"; kill -KILL "$pid"; }
  rm -f "$folder/pid/$1"
}
jobs_left() { timeout 10 squeue -h -o %A; }
cancel_jobs() { # so that they do not start again with the next up.sh
  local tries=150
  jobs_left | xargs -r timeout 30 scancel
  while [ -n "$(jobs_left)" ] && [ $((tries -= 1)) -gt 0 ]; do sleep 0.1; done
}
is_of_a_job() { # PID: SLURM's own process that watches over a job, or one that the job started
  if [ "$(cat "/proc/$1/comm")" = slurmstepd ]; then
    [ "$(readlink "/proc/$1/cwd")" = "$folder" ]
  else
    grep -qzxF "SLURM_CONF=$SLURM_CONF" "/proc/$1/environ" && grep -qz '^SLURM_JOB_ID=' "/proc/$1/environ"
  fi
} 2>/dev/null

! alive slurmctld || cancel_jobs || say "the jobs could not be cancelled"
for name in node1 node2 slurmctld; do stop "$name"; done
for process in /proc/[0-9]*; do # of a job that escaped, or whose controller was dead
  pid=${process#/proc/}
  ! is_of_a_job "$pid" || kill -KILL "$pid" 2>/dev/null || true
done
stop munged
