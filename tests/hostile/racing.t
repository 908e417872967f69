#!/bin/bash
# racing.t: rings rewritten by a second vCPU while they run; see racing.c.
. "$(dirname "$0")/suite.sh"

tap t0
mkfifo "$T/yes"
# A disk whose requests may fail: how the rewritten ones do is told in the log.
for transport in pci mmio; do
	also='^lodge: warning: block0: cannot ' attack "$transport" --transport $transport -c 2 -m 64M \
		-d "$T/image" -n tap=t0 "$attackers/racing.elf"
	yes >"$T/yes" &
	input=$T/yes attack "$transport, console wired" --transport $transport -c 2 -m 64M \
		--stats=json:"$T/stats" --console virtio "$attackers/racing.elf" wired
	# Buffers that never end are taken in rounds: others get their turn in between.
	chains=$(sed -n 's/.*"console0 queue 0".*"chains": \([0-9]*\).*/\1/p' "$T/stats")
	batches=$(sed -n 's/.*"console0 queue 0".*"batches": \([0-9]*\).*/\1/p' "$T/stats")
	ok "$transport: $chains useless buffers in $batches batches, of 128 at most on average" \
		[ "$chains" -gt 10000 -a "$chains" -le $((128 * batches)) ]
done
plan
