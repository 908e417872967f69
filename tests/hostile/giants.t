#!/bin/bash
# giants.t: disk requests of gigabytes; see giants.c. The images are one large hole.
. "$(dirname "$0")/suite.sh"

# Past the page cache where the file system has it, or gigabytes of it would be filled by a
# lodge that does not stop.
huge=$T/huge
truncate -s 64G "$huge"
if dd if=/dev/zero of="$T/direct" bs=4096 count=1 oflag=direct 2>/dev/null; then
	huge=$huge,direct
else
	echo "# no O_DIRECT here: without it"
fi

for transport in pci mmio; do
	attack "$transport, 8 GiB each" --transport $transport -m 64M -d "$huge" "$attackers/giants.elf"
	start --transport $transport -m 64M -d "$huge" "$attackers/giants.elf" wait <"$T/in" ||
		kill -KILL $pid
	kill -TERM $pid
	finish
	is "$status" 143 "$transport: SIGTERM with 255 of 8 GiB on their way: exit status 143"
done

# What the page cache has is copied by the device's own thread. It takes them in rounds by
# the bytes: others get their turn in between.
attack "4 MiB each, cached" --stats=json:"$T/stats" -m 64M -d "$T/image" "$attackers/giants.elf" patient
chains=$(sed -n 's/.*"block0 queue 0".*"chains": \([0-9]*\).*/\1/p' "$T/stats")
batches=$(sed -n 's/.*"block0 queue 0".*"batches": \([0-9]*\).*/\1/p' "$T/stats")
ok "cached: $chains requests in $batches batches, of 16 at most on average" \
	[ "$chains" -ge 512 -a "$chains" -le $((16 * batches)) ]
plan
