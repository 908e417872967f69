#!/bin/bash
# chains.t: descriptor chains that break the rules; see chains.c.
. "$(dirname "$0")/suite.sh"

tap t0
for transport in pci mmio; do
	attack "$transport" --transport $transport -m 4G -d "$T/image" -n tap=t0 "$attackers/chains.elf"
	# The console's own input is looked at only where there is some.
	mkfifo "$T/yes"
	yes >"$T/yes" &
	input=$T/yes attack "$transport, console wired" --transport $transport -m 4G --console virtio \
		"$attackers/chains.elf" wired
	rm "$T/yes"
done
plan
