#!/bin/bash
# announce.t: an interface that was down and is up again has the guest's driver
# asked to announce itself.
if [ -z "${LODGE_TEST_NETNS:-}" ]; then
	[ "$(id -u)" = 0 ] && map= || map=-r
	LODGE_TEST_NETNS=1 exec unshare $map -n -- "$0"
fi
. "$(dirname "$0")/suite.sh"

sysctl -qw net.ipv6.conf.default.disable_ipv6=1 2>/dev/null
ip tuntap add t0 mode tap vnet_hdr
ip link set t0 up

# go_on WHAT: change the interface, let the guest go on, up to its next "ready" or its end.
go_on() {
	local line
	ip link set t0 "$1"
	echo >&7
	while IFS= read -r -t "$LIMIT" line <&8; do
		line=${line%$'\r'}
		[ "$line" != ready ] || return 0
		printf "%s\n" "$line" >>"$T/out"
	done
}

mkfifo "$T/input"
exec 7<>"$T/input"
for transport in pci mmio; do
	start --transport $transport --stats=json:"$T/stats" -n tap=t0 "$guests/announce.elf" <&7
	go_on down
	go_on up
	finish
	relay $transport "$T/out"
	is "$status" 0 "$transport: exit status 0"
	like "$(<"$T/stats")" '"net0 queue 1": \{[^}]*"dropped": 1, "dropped_down": 1,' "$transport: the lost frame is counted"
done
plan
