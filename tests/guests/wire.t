#!/bin/bash
# wire.t: a network card whose frames travel over passt's socket: to a program
# that cuts them anywhere, stops reading and lies (tools/stream.c), and to passt.
if [ -z "${LODGE_TEST_NETNS:-}" ]; then
	[ "$(id -u)" = 0 ] && map= || map=-r
	LODGE_TEST_NETNS=1 exec unshare $map -n -- "$0"
fi
. "$(dirname "$0")/suite.sh"
ip link set lo up

# other_end: `stream` behind the socket; what it says is in fd 9, fd 6 is for it to read.
other_end() {
	local line
	rm -f "$T/socket" "$T/stream-out" "$T/stream-in"
	mkfifo "$T/stream-out" "$T/stream-in"
	"$tools/stream" "$T/socket" >"$T/stream-out" 2>&1 <"$T/stream-in" &
	other=$!
	exec 9<"$T/stream-out" 6>"$T/stream-in"
	read -r -t "$LIMIT" line <&9
}
ended() {
	exec 6>&-
	is "$(timeout "$LIMIT" cat <&9 | tail -n 1)" "$2" "$1: the other end was told the end"
	exec 9<&-
	wait $other
}

# --- Everything a stream may do to frames; twice it reads on only when the guest
# says that it is waiting. ---

all() {
	local label=$1 line
	shift
	other_end
	rm -f "$T/pipe"
	mkfifo "$T/pipe"
	"$LODGE" "$@" -n "passt=$T/socket" "$guests/wire.elf" do=all </dev/null >"$T/pipe" 2>"$T/err" 6>&- 9<&- &
	pid=$!
	exec 8<"$T/pipe"
	: >"$T/out"
	while IFS= read -r -t "$LIMIT" line <&8; do
		line=${line%$'\r'}
		if [ "$line" = waiting ]; then
			echo "read on" >&6
		else
			printf '%s\n' "$line" >>"$T/out"
		fi
	done
	finish
	relay "$label" "$T/out"
	is "$status" 0 "$label: exit status 0"
	is "$(<"$T/err")" "lodge: warning: net0: passt is gone; the guest's link is down" \
		"$label: the loss is told, once"
	ended "$label" ended
}
all pci
all mmio --transport mmio

# --- Lengths of no frame end the link, not lodge ---

length() {
	other_end
	lodge -n "passt=$T/socket" "$guests/wire.elf" do=length "a=$1" "b=$2" </dev/null
	relay "length $3" "$T/out"
	is "$status" 0 "length $3: exit status 0"
	is "$(<"$T/err")" "lodge: warning: --net: passt sent the length of no frame
lodge: warning: net0: passt is gone; the guest's link is down" "length $3: told, once"
	ended "length $3" closed
}
length 0 0 0
length 13 0 13
length 15 1 65551
length 65535 65535 4294967295

# --- Sockets that are none ---

lodge -n "passt=$T/none" "$guests/ending.elf" end=poweroff </dev/null
is "$status" 1 "no such socket: exit status 1"
like "$(<"$T/err")" "^lodge: --net: passt=$T/none: No such file.*passt --socket $T/none[^$]*\$" "no such socket: which is named"
lodge -n passt,queues=2 "$guests/ending.elf" end=poweroff </dev/null
is "$status" 2 "two queues: exit status 2"

# --- passt itself, which needs an interface with a route, and no privilege ---

if ! command -v passt >/dev/null; then
	echo "# no passt (package passt): the rest is left out"
	plan
	exit
fi
lodge -n passt "$guests/ending.elf" end=poweroff </dev/null
is "$status" 1 "passt without a network: exit status 1"
is "$(grep -c . "$T/err")" 1 "passt without a network: one line"
like "$(<"$T/err")" "^lodge: --net: passt did not start: .*[Ii]nterface" "passt without a network: its reason"
PATH=/nowhere "$LODGE" -n passt "$guests/ending.elf" end=poweroff </dev/null 2>"$T/err"
is $? 1 "no passt: exit status 1"
like "$(<"$T/err")" "^lodge: --net: passt: .*install the package passt\$" "no passt: what to do"

ip link add uplink type veth peer name nowhere
ip addr add 10.0.0.2/24 dev uplink
ip link set nowhere up
ip link set uplink up
ip route add default via 10.0.0.1

# ours: the passt of this network namespace, by their pids.
ours() {
	local pid
	for pid in $(pgrep '^passt'); do
		[ "$(readlink "/proc/$pid/ns/net")" != "$(readlink /proc/self/ns/net)" ] || echo "$pid"
	done
}
# gone PID: it has ended; a zombie that nobody buries counts as well.
gone() {
	! [ -e "/proc/$1/fd/0" ] || timeout "$LIMIT" tail --pid="$1" -f /dev/null
}
guest passt -n passt "$guests/wire.elf" do=passt

start -n passt "$guests/wire.elf" do=lose
passt=$(ours)
is "$(wc -w <<<"$passt")" 1 "a guest with passt: there is one"
is "$(find "/proc/$passt/fd" -lname 'anon_inode:*kvm*' -o -lname '*/dev/kvm' | wc -l)" 0 "which has nothing of ours"
kill -KILL "$passt"
finish
relay "passt is killed" "$T/out"
is "$status" 0 "passt is killed: exit status 0"

start -n passt "$guests/ending.elf" end=wait </dev/null
passt=$(ours)
kill -KILL $pid
finish
ok "lodge is killed: passt ends as well" gone "$passt"

# --- Nobody, without any privilege: all it needs is /dev/kvm ---

if ! unshare -m mknod -m 666 "$T/kvm" c 10 232 2>/dev/null; then
	echo "# no device files can be made: what nobody may do is left out"
else
	unprivileged() {
		unshare -m sh -c 'mount --bind "$0/kvm" /dev/kvm &&
			exec setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs \
			--inh-caps=-all --bounding-set=-all "$@"' "$T" "$LODGE" "$@"
	}
	unprivileged -n passt "$guests/wire.elf" do=passt </dev/null >"$T/out" 2>"$T/err"
	status=$?
	relay "nobody" "$T/out"
	is "$status" 0 "nobody: exit status 0"
	is "$(<"$T/err")" "" "nobody: nothing on standard error"
	unprivileged -n tap "$guests/ending.elf" end=poweroff </dev/null >"$T/out" 2>"$T/err"
	is $? 1 "nobody: may not make a tap"
	unprivileged -n packet=uplink "$guests/ending.elf" end=poweroff </dev/null >"$T/out" 2>"$T/err"
	is $? 1 "nobody: nor have a raw socket"
	like "$(<"$T/err")" "^lodge: --net: packet=uplink: .*net_raw\$" "nobody: and is told so"
fi
plan
