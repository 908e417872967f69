#!/bin/bash
# storms.t: resets with everything in flight; see storms.c.
. "$(dirname "$0")/suite.sh"

tap t0
for transport in pci mmio; do
	attack "$transport" --transport $transport -m 64M -d "$T/image" "$attackers/storms.elf"
done
# Where the file system has it, what is in flight is in the host's hands longer.
if dd if=/dev/zero of="$T/direct" bs=4096 count=1 oflag=direct 2>/dev/null; then
	attack "O_DIRECT" -m 64M -d "$T/image,direct" "$attackers/storms.elf"
else
	echo "# no O_DIRECT here: left out"
fi
plan
