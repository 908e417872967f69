#!/bin/bash
# tap.t: the interface is deleted under a guest that sends as fast as it can.
# In a network namespace of its own.
if [ -z "${LODGE_TEST_NAMESPACES:-}" ]; then
	[ "$(id -u)" = 0 ] && map= || map=-r
	LODGE_TEST_NAMESPACES=1 exec unshare $map --net -- "$0"
fi
. "$(dirname "$0")/faults.sh"

sent() { ip -j -s link show t0 | grep -o '"rx":{"bytes":[0-9]*,"packets":[0-9]*' | grep -o '[0-9]*$'; }

for transport in pci mmio; do
	ip tuntap add t0 mode tap vnet_hdr
	ip link set t0 up
	rm -f "$T/keyboard"
	mkfifo "$T/keyboard"
	exec 7<>"$T/keyboard"
	start --transport $transport -n tap=t0 "$guests/packets.elf" do=transmit count=2000000 <&7
	printf x >&7
	# As soon as packets flow; what is awaited is their count.
	for ((end = SECONDS + LIMIT; SECONDS < end; )); do
		[ "$(sent)" -lt 1000 ] || break
	done
	ok "$transport: the guest sends" [ "$(sent)" -ge 1000 ]
	ip link del t0
	LIMIT=90 finish
	exec 7<&-
	is "$status" 0 "$transport: the guest sends the rest into nowhere, and powers off"
	like "$(<"$T/out")" "@packets 2000000 " "$transport: all of it"
	is "$(<"$T/err")" "lodge: warning: net0: t0 is gone; the guest's link is down" \
		"$transport: one line says what happened"
done
plan
