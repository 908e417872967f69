#!/bin/bash
# smp.t: one, two and sixteen CPUs, and the names of the threads behind them.
. "$(dirname "$0")/suite.sh"

guest "1 CPU" "$guests/smp.elf" cpus=1
guest "2 CPUs" -c 2 "$guests/smp.elf" cpus=2
guest "3 CPUs" --cpus 3 "$guests/smp.elf" cpus=3
guest "16 CPUs" -c 16 "$guests/smp.elf" cpus=16

# threads WANT ARGS...: the threads of a machine whose guest waits. (The kernel
# may add some of its own: io_uring workers, KVM's recovery thread; and
# ThreadSanitizer one that is named like the program.)
threads() {
	local want=$1 got
	shift
	start "$@" "$guests/ending.elf" end=wait </dev/null
	got=$(grep -h ^lodge /proc/$pid/task/*/comm | sort -u | tr "\n" " ")
	is "$got" "$want" "threads: $want"
	kill $pid
	finish
}
truncate -s 1M "$T/disk"
threads "lodge lodge-console0 lodge-rng0 lodge-vcpu0 "
threads "lodge lodge-block0 lodge-block1 lodge-console0 lodge-vcpu0 lodge-vcpu1 lodge-vcpu2 " \
	-c 3 --no-rng -d "$T/disk,ro" -d "$T/disk,ro"
plan
