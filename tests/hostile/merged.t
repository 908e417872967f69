#!/bin/bash
# merged.t: packets that come in several buffers, seen as early as can be; see merged.c.
. "$(dirname "$0")/suite.sh"

do_step() {
	case $1 in
	flood) flood t0 ;;
	calm) calm ;;
	esac
}

tap t0
for transport in pci mmio; do
	attack "$transport" --transport $transport -c 2 -m 64M -n tap=t0 "$attackers/merged.elf"
	calm
done
plan
