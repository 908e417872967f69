#!/bin/bash
# multiqueue.t: several queue pairs over one tap, in a network namespace of its
# own: from the guest's side (multiqueue.c), and what the host sees of it.
if [ -z "${LODGE_TEST_NETNS:-}" ]; then
	[ "$(id -u)" = 0 ] && map= || map=-r
	LODGE_TEST_NETNS=1 exec unshare $map -n -- "$0"
fi
. "$(dirname "$0")/suite.sh"

sysctl -qw net.ipv6.conf.default.disable_ipv6=1 2>/dev/null
ip link set lo up
guest_ip=10.9.0.2

# tap NAME [WORD]: of several queues, if no WORD says otherwise.
tap() {
	ip tuntap add "$1" mode tap vnet_hdr ${2-multi_queue}
	ip link set "$1" up
}

# other_end TAP: `frames` there, its output in fd 9.
other_end() {
	local line
	rm -f "$T/frames-pipe"
	mkfifo "$T/frames-pipe"
	"$tools/frames" "$1" >"$T/frames-pipe" 2>&1 &
	other=$!
	exec 9<"$T/frames-pipe"
	read -r -t "$LIMIT" line <&9
}
told_the_end() {
	timeout "$LIMIT" cat <&9 >"$T/frames" || kill $other
	exec 9<&-
	wait $other
	is $? 0 "$1: the other end was told the end"
}

# until_line WORD: the guest's output up to this line.
until_line() {
	local line
	while IFS= read -r -t "$LIMIT" line <&8; do
		line=${line%$'\r'}
		[ "$line" != "$1" ] || return 0
		printf '%s\n' "$line" >>"$T/out"
	done
	echo "# the guest never said $1"
	return 1
}

# flows: one packet of each of 64; the port is what differs.
flows() {
	local port
	for ((port = 4000; port < 4064; port++)); do
		printf hello >"/dev/udp/$guest_ip/$port"
	done
}

# run LABEL TAP PAIRS ARGS...
run() {
	local label=$1 tap=$2 pairs=$3 long i names=lodge-net0
	shift 3
	tap "$tap"
	ip addr add 10.9.0.1/24 dev "$tap"
	ip neigh add $guest_ip lladdr 52:54:00:00:00:01 dev "$tap" nud permanent
	for ((i = 1; i < pairs; i++)); do names+=" lodge-net0.$i"; done
	other_end "$tap"
	rm -f "$T/pipe"
	mkfifo "$T/pipe"
	: >"$T/out"
	"$LODGE" -n "tap=$tap,mac=52:54:00:00:00:01,queues=$pairs" "$@" \
		"$guests/multiqueue.elf" pairs=$pairs $words </dev/null >"$T/pipe" 2>"$T/err" &
	pid=$!
	exec 8<"$T/pipe"
	until_line flows-many && flows
	is "$(cat /proc/$pid/task/*/comm | grep "^lodge-net" | sort | xargs)" \
		"$names" "$label: a thread for each pair"
	until_line flows-one && flows
	until_line flows-reset && flows
	finish
	relay "$label" "$T/out"
	is "$status" 0 "$label: exit status 0"
	is "$(grep -cv 'warning: net0: .*broke the rules: control command' "$T/err")" 0 \
		"$label: nothing on standard error but broken rules"
	is "$(wc -l <"$T/err")" 3 "$label: each of which is named once"
	told_the_end "$label"
	long=$(sed -n 's/^# sent long //p' "$T/out")
	like "$(<"$T/frames")" ", of them long $long" "$label: it saw every frame that all pairs sent"
	ip link del "$tap"
}
words='' run pci q0 3
words='' run mmio q1 2 --transport mmio
words=plain run "no EVENT_IDX" q2 4
words='' run "eight pairs" q3 8 -c 2

# A driver that does not know of pairs, and enables all queues all the same.
stray() {
	local label="stray queues, $2 pairs"
	tap "$1"
	other_end "$1"
	guest "$label" -n "tap=$1,queues=$2" "$guests/multiqueue.elf" pairs=$2 do=stray
	[ "$status" = 0 ] || kill $other
	told_the_end "$label"
	ip link del "$1"
}
stray s0 2
stray s1 8

# Without a name: a tap of its own, gone with it, or none at all.
start -n tap,queues=3 "$guests/ending.elf" end=wait </dev/null
is "$(ip -d -o link show type tun | grep -c 'multi_queue numqueues 3')" 1 "no name: a tap of its own, three queues"
is "$(cat /proc/$pid/task/*/comm | grep -c '^lodge-net0')" 3 "no name: and three threads"
kill $pid
finish
is "$(ip -o link show type tun | wc -l)" 0 "no name: gone at the end"

for queues in 0 9 10 x 2x -1 +2 ''; do
	refused_net 2 "^lodge: .*queues '${queues/+/[+]}'.* 1 to 8" "queues=$queues" "tap,queues=$queues"
done
refused_net 2 "fd.* one|queues" "queues of a tap passed to us" "fd=5,queues=2" 5</dev/null
is "$(ip -o link show type tun | wc -l)" 0 "none of them has made a tap"

tap single ""
tap several
refused_net 1 "^lodge: .*single.*without multi_queue" "a tap of one queue" tap=single,queues=2
refused_net 1 "^lodge: .*several.*with multi_queue" "a tap of several for one" tap=several
lodge -n tap=several,queues=1 "$guests/ending.elf" end=poweroff </dev/null
is "$status" 1 "queues=1 is no queues="
lodge -n tap=single,queues=1 "$guests/ending.elf" end=poweroff </dev/null
is "$status" 0 "and fits a tap of one queue"
plan
