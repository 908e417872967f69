#!/bin/bash
# reset.t: resets and power-off with block requests in flight.
. "$(dirname "$0")/suite.sh"

head -c 1M /dev/urandom >"$T/disk"
for transport in pci mmio; do
	guest "$transport" --transport $transport -d "$T/disk" "$guests/reset.elf"
	guest "$transport, power-off" --transport $transport -d "$T/disk" "$guests/reset.elf" end=poweroff
done
plan
