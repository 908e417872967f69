#!/bin/bash
# registers.t: registers of both transports, and of the PCI bus; see registers.c
# and pci.c.
. "$(dirname "$0")/suite.sh"

tap t0
for transport in pci mmio; do
	attack "$transport" --transport $transport -m 64M -d "$T/image" -n tap=t0 \
		"$attackers/registers.elf"
done
# KVM may refuse a message that leads nowhere, or two doorbells at one place.
also='^lodge: warning: (an MSI-X vector cannot be |[a-z]+[0-9]: no ioeventfd )' \
	attack "PCI's own" -m 64M -d "$T/image" -n tap=t0 "$attackers/pci.elf"
plan
