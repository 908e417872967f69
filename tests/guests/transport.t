#!/bin/bash
# transport.t: negotiation, queue set-up and reset, on each transport; the
# entropy device's own behaviour too, being what these use.
. "$(dirname "$0")/suite.sh"

for transport in pci mmio mmio-cmdline; do
	guest "$transport" --transport $transport "$guests/transport.elf"
	guest "rng, $transport" --transport $transport "$guests/rng.elf"
done
lodge --no-rng "$guests/rng.elf" </dev/null
like "$(<"$T/out")" '^not ok 1 ' "--no-rng: no entropy device"
plan
