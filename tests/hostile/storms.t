#!/bin/bash
# storms.t: resets with everything in flight; see storms.c and net-storms.c.
. "$(dirname "$0")/suite.sh"

# A tap with a small send buffer, bridged to an interface that can be made slow:
# what waits there is still the tap's. The host has its address on the bridge.
ip link add bridge type bridge
ip addr add 10.9.0.1/24 dev bridge
ip link set bridge up
ip link add near type veth peer name far
ip link set near master bridge up
ip link set far up
ip tuntap add t0 mode tap vnet_hdr
ip link set t0 master bridge up
queue() { tc qdisc replace dev near root tbf rate "$1" burst 10kb limit 4mb; }

do_step() {
	case $1 in
	flooded) queue 10gbit && flood t0 ;;
	stuck) queue 20kbit ;;
	fast) queue 10gbit ;;
	calm) calm ;;
	esac
}

for transport in pci mmio; do
	attack "$transport, disk" --transport $transport -m 64M -d "$T/image" "$attackers/storms.elf"
	under=("$tools/tap-fd" t0 65536)
	attack "$transport, net" --transport $transport -m 64M -n fd=5 "$attackers/net-storms.elf"
	under=()
	calm
done
# Where the file system has it, what is in flight is in the host's hands longer.
if dd if=/dev/zero of="$T/direct" bs=4096 count=1 oflag=direct 2>/dev/null; then
	attack "O_DIRECT" -m 64M -d "$T/image,direct" "$attackers/storms.elf"
else
	echo "# no O_DIRECT here: left out"
fi
plan
