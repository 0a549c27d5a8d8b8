#!/usr/bin/env bash
# up.sh [FOLDER]: a real SLURM cluster of two nodes on this one machine, for the tests and for trying things out.
#
# Runs as root, without systemd, from Debian's packages (missing ones are installed). Everything that belongs to the
# cluster lies in FOLDER (default: a new one below ${TMPDIR:-/tmp}); several clusters can run side by side. Says at the
# end which file to source. On a cluster that is up it starts what has died, and nothing else. down.sh FOLDER ends it.
#
# Partitions: main; low, whose jobs are requeued when `high` wants their place; high. Each node offers 4 CPUs, whatever
# the machine has, two fifths of its memory, and a GPU that does not exist. SLURM_BASE_PORT=N takes the ports N to N+2
# instead of three that are free.
set -euo pipefail
umask 022
PATH=$PATH:/usr/sbin:/sbin # where the daemons are, and `su` does not look

here=$(dirname "$(readlink -f "$0")")
nodes=(node1 node2)
cpus=4
longest=/node1/node1_67043328.4294967291 # the longest socket that SLURM makes below FOLDER
socket_limit=107                         # of the kernel, for a socket's path

say() { printf 'slurm up: %s\n' "$*" >&2; }
give_up() { say "$*"; exit 1; }
impossible() { say "$*"; exit 3; } # what the tests take for a reason to skip
failed() { # what has been started does not stay behind
  say "$*"
  tail -n 5 "$folder"/log/* >&2 || true
  exec 9>&- # the lock, that down.sh takes
  "$here/down.sh" "$folder"
  exit 1
}

install_packages() {
  local missing=() log
  type -P munged >/dev/null || missing+=(munge)
  type -P slurmctld >/dev/null || missing+=(slurmctld)
  type -P slurmd >/dev/null || missing+=(slurmd)
  type -P sbatch >/dev/null || missing+=(slurm-client)
  [ ${#missing[@]} -gt 0 ] || return 0
  type -P apt-get >/dev/null || impossible "missing: ${missing[*]}, and no apt-get to install them"
  say "installing ${missing[*]}"
  log=$(without_daemons apt_get_install "${missing[@]}" 2>&1) \
    || impossible "apt-get could not install ${missing[*]}: $(tail -n 1 <<<"$log")"
}
apt_get_install() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get update && apt-get -o DPkg::Lock::Timeout=120 install -y --no-install-recommends "$@"
}
without_daemons() ( # COMMAND...: meanwhile Debian's packages start no daemons of their own
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
  fi
  "$@"
)

# A daemon's file holds its process id and start time, since ids are given again.
start_time() { awk '$0 !~ /\) [ZX] / {print $(NF-30)}' "/proc/$1/stat" 2>/dev/null; }
alive() { # NAME
  local pid started
  [ -s "$folder/pid/$1" ] && read -r pid started <"$folder/pid/$1" && [ "$(start_time "$pid")" = "$started" ]
}
start() { # NAME COMMAND...
  local name=$1
  shift
  ! alive "$name" || return 0
  setsid "${as_localhost[@]}" "$@" </dev/null >>"$folder/log/$name.out" 2>&1 9>&- &
  echo "$! $(start_time $!)" >"$folder/pid/$name"
}
wait_for() { # NAME COMMAND...: until the command works
  local name=$1 tries=150
  shift
  until "$@" >/dev/null 2>&1; do
    alive "$name" || failed "$name ended"
    [ $((tries -= 1)) -gt 0 ] || failed "$name does not answer"
    sleep 0.2
  done
}

free_ports() { # three in a row that nothing listens on, below the range that the kernel hands out
  local base port
  for _ in $(seq 100); do
    base=$((20000 + RANDOM % 12000))
    for port in $base $((base + 1)) $((base + 2)); do
      ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || continue 2
    done
    echo $base
    return
  done
  give_up "no three free ports in a row"
}

write_configuration() {
  local port memory i
  port=${SLURM_BASE_PORT:-$(free_ports)}
  memory=$(awk '/^MemTotal/ {print int($2 / 1024 * 0.4)}' /proc/meminfo)
  (umask 077 && head -c 1024 /dev/urandom >"$folder/munge/munge.key")
  echo 'CgroupPlugin=cgroup/v1' >"$folder/cgroup.conf" # not asked for anything, but v2 wants a systemd
  for i in "${nodes[@]}"; do echo "NodeName=$i Name=gpu Count=1 File=/dev/null"; done >"$folder/gres.conf"
  cat >"$folder/env.sh" <<ENV
export SLURM_CONF=$folder/slurm.conf
export PATH=$here/bin:\$PATH  # a stand-in for sacct
ENV
  {
    cat <<CONF
ClusterName=local
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
# a requeued job waits until its credential has expired, which takes two minutes by default
AuthInfo=socket=$folder/munge/socket,cred_expire=5
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation=$folder/controller
SlurmctldPidFile=$folder/controller/slurmctld.pid
SlurmctldLogFile=$folder/log/slurmctld
SlurmdSpoolDir=$folder/%n
SlurmdPidFile=$folder/%n/slurmd.pid
SlurmdLogFile=$folder/log/%n
SlurmdParameters=config_overrides
ReturnToService=2
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=$((memory / cpus))
GresTypes=gpu
# a job above its memory is killed
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
# ended jobs stay known: there is no accounting to ask. Job ids do not start at 1 in every new cluster, because
# submitit takes the result file of an older job of that id for the new one's
AccountingStorageType=accounting_storage/none
MinJobAge=86400
FirstJobId=$(($(date +%s) % 60000000 + 1))
# a job of \`high\` takes the place of one of \`low\`, which gets its --signal at once and its GraceTime to save
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
# quick on a small machine
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=2,sched_min_interval=0,batch_sched_delay=0
SlurmctldTimeout=30
SlurmdTimeout=60
KillWait=5
CONF
    for i in "${!nodes[@]}"; do
      echo "NodeName=${nodes[i]} NodeHostname=localhost NodeAddr=127.0.0.1 Port=$((port + 1 + i)) CPUs=$cpus RealMemory=$memory Gres=gpu:1"
    done
    cat <<CONF
PartitionName=main Nodes=ALL Default=YES DefaultTime=10 PriorityTier=10 PreemptMode=OFF
PartitionName=low Nodes=ALL DefaultTime=10 PriorityTier=1 PreemptMode=REQUEUE GraceTime=10
PartitionName=high Nodes=ALL DefaultTime=10 PriorityTier=20 PreemptMode=OFF
CONF
  } >"$folder/slurm.conf.new"
  mv "$folder/slurm.conf.new" "$folder/slurm.conf" # last and whole: its presence says that the rest is there
}

munge_works() { munge --socket="$folder/munge/socket" --no-input | unmunge --socket="$folder/munge/socket"; }
controller_works() { scontrol ping | grep -q UP; }
node_works() { sinfo -h -N -n "$1" -o %T | grep -qxE 'idle|mixed|allocated|completing'; }

[ "$(id -u)" = 0 ] || impossible "only root can start the daemons: use sudo"
install_packages
folder=${1:-$(mktemp -d "${TMPDIR:-/tmp}/slurm.XXXXXX")}
folder=$(realpath -m "$folder")
case $folder in *[!A-Za-z0-9_./-]*) give_up "SLURM's configuration takes a folder's path of letters, digits, ., _ and - only: $folder" ;; esac
room=$((socket_limit - ${#longest}))
[ ${#folder} -le $room ] || give_up "the folder's path must have at most $room characters, for the sockets in it: $folder"
mkdir -p "$folder"
exec 9>"$folder/lock"
flock -w 120 9 || give_up "another up.sh or down.sh works in $folder"
mkdir -p "$folder"/{log,pid,controller,munge,node1,node2}
chmod 755 "$folder"
[ -s "$folder/slurm.conf" ] || write_configuration
export SLURM_CONF=$folder/slurm.conf

# SLURM listens on the address of the machine's name. Where that is not a loopback address, the cluster gets a name of
# its own.
as_localhost=()
getent ahostsv4 "$(uname -n)" | grep -q '^127\.' \
  || as_localhost=(unshare --uts sh -c 'hostname localhost && exec "$@"' sh)

cd "$folder" # by their working directory down.sh knows the daemons' children
# --force: a folder of mode 0700 above, as mktemp makes them, is an error to munged; root is its only user here
start munged "$(type -P munged)" --foreground --force --socket="$folder/munge/socket" --num-threads=4 \
  --key-file="$folder/munge/munge.key" --seed-file="$folder/munge/seed" --pid-file="$folder/munge/pid" \
  --log-file="$folder/log/munged"
wait_for munged munge_works
start slurmctld "$(type -P slurmctld)" -D
wait_for slurmctld controller_works
for node in "${nodes[@]}"; do start "$node" "$(type -P slurmd)" -D -N "$node"; done
for node in "${nodes[@]}"; do wait_for "$node" node_works "$node"; done
say "ready; to use it: . $folder/env.sh"
