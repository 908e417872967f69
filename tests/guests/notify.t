#!/bin/bash
# notify.t: kicks and interrupts, sent and suppressed, on both transports.
. "$(dirname "$0")/suite.sh"

guest pci "$guests/notify.elf"
guest mmio --transport mmio "$guests/notify.elf"
plan
