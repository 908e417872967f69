#!/bin/bash
# trouble.t: the interface a network card is on gets full, has no memory, goes
# down and up again, and is deleted. The guest (wire.c) says when.
if [ -z "${LODGE_TEST_NETNS:-}" ]; then
	[ "$(id -u)" = 0 ] && map= || map=-r
	LODGE_TEST_NETNS=1 exec unshare $map -n -- "$0"
fi
. "$(dirname "$0")/suite.sh"
sysctl -qw net.ipv6.conf.default.disable_ipv6=1 2>/dev/null
ip link set lo up

# frames_at INTERFACE: the other end; what it says goes to $T/frames.
frames_at() {
	local line
	rm -f "$T/frames-pipe"
	mkfifo "$T/frames-pipe"
	"$tools/frames" "$1" >"$T/frames-pipe" 2>/dev/null &
	other=$!
	exec 9<"$T/frames-pipe"
	read -r -t "$LIMIT" line <&9
}

# queue LIMIT RATE: what leaves $narrow has to wait in a queue of so many bytes.
queue() { tc qdisc replace dev "$narrow" root tbf rate "$2" burst 10kb limit "$1"; }

# settle: an interface that comes up carries nothing before the kernel has seen so,
# nor does a bridge over it.
settle() {
	local state end=$((SECONDS + LIMIT))
	while [ $SECONDS -lt $end ]; do
		state=$(ip -d -o link show dev "$iface")
		case $state in
		*" state UP "*"bridge_slave state forwarding"*) return ;;
		*bridge_slave*) ;;
		*" state UP "*) return ;;
		esac
	done
}

# do_step WHAT: what the guest asks for.
do_step() {
	case $1 in
	slow) queue 4mb 100kbit ;;
	stuck) queue 4mb 8bit ;;
	lossy) queue 5kb 8kbit ;;
	fast) queue 4mb 10gbit ;;
	down) ip link set "$iface" down ;;
	up) ip link set "$iface" up && settle ;;
	settle) settle ;;
	count)
		counted=$(timeout "$LIMIT" cat <&9)
		wait $other
		frames_at "$far"
		;;
	delete) ip link del "$iface" ;;
	esac
}

# trouble LABEL PROGRAM ARGS...: a guest on $iface, behind which the frames go
# out of $narrow and arrive at $far.
trouble() {
	local label=$1 line counted=
	shift
	frames_at "$far"
	rm -f "$T/pipe" "$T/input"
	mkfifo "$T/pipe" "$T/input"
	timeout -k 2 "$LIMIT" "$@" --stats=json:"$T/stats" "$guests/wire.elf" do=trouble $words \
		<"$T/input" >"$T/pipe" 2>"$T/err" 9<&- &
	pid=$!
	exec 7>"$T/input" 8<"$T/pipe"
	: >"$T/out"
	while IFS= read -r -t "$LIMIT" line <&8; do
		line=${line%$'\r'}
		case $line in
		"do "*)
			do_step "${line#do }"
			echo >&7
			;;
		*) printf '%s\n' "$line" >>"$T/out" ;;
		esac
	done
	exec 7>&-
	finish
	relay "$label" "$T/out"
	is "$status" 0 "$label: exit status 0"
	like "$counted" "counted 128, of them long 128" "$label: nothing was lost while it was full"
	is "$(<"$T/err")" "lodge: warning: net0: $iface is gone; the guest's link is down" \
		"$label: the loss is told, once"
	kill $other 2>/dev/null
	wait $other 2>/dev/null
	exec 9<&-
}

# dropped COUNTER: of the transmit queue.
dropped() { perl -0ne '/"net0 queue 1": \{[^}]*"'"$1"'": (\d+)/ and print $1' "$T/stats"; }

# --- A tap that a supervisor opened, bridged to the far end ---

ip link add bridge type bridge
ip link set bridge up
ip link add near type veth peer name far
ip link set near master bridge up
ip link set far up
iface=t0 narrow=near far=far words=
ip tuntap add t0 mode tap vnet_hdr
ip link set t0 master bridge up
trouble tap "$tools/tap-fd" t0 65536 "$LODGE" -n fd=5
ok "tap: frames were lost while it was down or gone ($(dropped dropped_down))" test "$(dropped dropped_down)" -ge 100
is "$(dropped dropped)" "$(dropped dropped_down)" "tap: and no others"

# --- A tap opened by its name, with the send buffer it has by itself ---

ip tuntap add t0 mode tap vnet_hdr
ip link set t0 master bridge up
tc qdisc del dev near root
words=endless
trouble "tap by name" "$LODGE" -n tap=t0
ok "tap by name: frames were lost while it was down or gone ($(dropped dropped_down))" test "$(dropped dropped_down)" -ge 100
is "$(dropped dropped)" "$(dropped dropped_down)" "tap by name: and no others"

# --- A raw socket on an interface ---

ip link del near
ip link add near type veth peer name far
ip link set near up
ip link set far up
iface=near words=lossy
trouble packet "$LODGE" -n packet=near
ok "packet: frames were lost while it was down or gone ($(dropped dropped_down))" test "$(dropped dropped_down)" -ge 100
ok "packet: and some for want of room ($(dropped dropped_no_memory))" test "$(dropped dropped_no_memory)" -ge 1
plan
