#!/bin/bash
# floods.t: more than a device should be asked for; see floods.c.
. "$(dirname "$0")/suite.sh"

tap t0
for transport in pci mmio; do
	attack "$transport" --transport $transport -m 3G -d "$T/image" -n tap=t0 "$attackers/floods.elf"
done
plan
