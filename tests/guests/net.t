#!/bin/bash
# net.t: the network device over a tap, in a network namespace of its own.
if [ -z "${LODGE_TEST_NETNS:-}" ]; then
	[ "$(id -u)" = 0 ] && map= || map=-r
	LODGE_TEST_NETNS=1 exec unshare $map -n -- "$0"
fi
. "$(dirname "$0")/suite.sh"

sysctl -qw net.ipv6.conf.default.disable_ipv6=1 2>/dev/null
ip link set lo up

# tap NAME [MTU]
tap() {
	ip tuntap add "$1" mode tap vnet_hdr
	ip link set "$1" mtu "${2:-1500}" up
}

# run LABEL NET END MAC MTU ARGS...: the guest at one end, `frames` at the other.
run() {
	local label=$1 net=$2 end=$3 mac=$4 mtu=$5 line other long
	shift 5
	rm -f "$T/frames-pipe"
	mkfifo "$T/frames-pipe"
	"$tools/frames" "$end" >"$T/frames-pipe" 2>&1 &
	other=$!
	exec 9<"$T/frames-pipe"
	read -r -t "$LIMIT" line <&9
	guest "$label" -n "$net,mac=$mac" "$@" "$guests/net.elf" mac=$mac mtu=$mtu "over=$net"
	timeout "$LIMIT" cat <&9 >"$T/frames" || kill $other
	exec 9<&-
	wait $other
	is $? 0 "$label: the other end was told the end"
	long=$(sed -n 's/^# sent long //p' "$T/out")
	like "$(<"$T/frames")" "counted $long, of them long $long" "$label: it saw every frame of the full ring"
	like "$(<"$T/frames")" "tcp length 20054 gso_type 1 gso_size 1448" "$label: and the segment uncut"
}
tap t0
tap t1 9000
run pci tap=t0 t0 52:54:00:12:34:56 1500
run mmio tap=t0 t0 52:54:00:12:34:57 1500 --transport mmio
run "MTU 9000" tap=t1 t1 02:00:00:00:00:07 9000


# A raw socket, on an interface with another behind it.
ip link add p0 type veth peer name p1
ip link set p0 up
ip link set p1 up
warning='large packets' run packet packet=p1 p0 52:54:00:12:34:58 1500

# Without a name lodge makes a tap itself, gone with it.
start -n tap "$guests/ending.elf" end=wait </dev/null
is "$(ip -o link show type tun | grep -vc ": t[01]:")" 1 "no name: a tap of its own"
is "$(cat /proc/$pid/task/*/comm | grep -c lodge-net0)" 1 "no name: and a thread"
kill $pid
finish
is "$(ip -o link show type tun | grep -vc ": t[01]:")" 0 "no name: gone at the end"

start -n tap=t0 "$guests/ending.elf" end=wait </dev/null
mv "$T/err" "$T/first"
lodge -n tap=t0 "$guests/ending.elf" end=poweroff </dev/null
is "$status" 1 "a tap in use: exit status 1"
like "$(<"$T/err")" t0 "a tap in use: which is named"
kill $pid
finish

# The example that makes one for a user: all of it, or nothing.
tap_up() { "$top/examples/network/tap-up" "$@" >"$T/out" 2>"$T/err"; }
tap_up u0 10.8.0.1/24
is $? 0 "tap-up: makes a tap"
like "$(ip -o -4 addr show dev u0)" "10.8.0.1/24" "tap-up: with its address"
tap_up u0 garbage
ok "tap-up: fails where there is one already" [ $? != 0 ]
like "$(ip -o link show u0)" "u0: <.*UP" "tap-up: and leaves it alone"
for wrong in "u1 garbage" "u2 10.8.0.2/33" "u3 10.8.0.2/24 nobody-of-this-name"; do
	# shellcheck disable=SC2086  # its arguments
	tap_up $wrong
	ok "tap-up $wrong: fails" [ $? != 0 ]
	is "$(ip -o link show "${wrong%% *}" 2>/dev/null)" "" "tap-up $wrong: and leaves nothing behind"
done
plan
