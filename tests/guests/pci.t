#!/bin/bash
# pci.t: the bus and its interrupts; types are 3 console, 4 entropy, 2 block,
# 1 network.
. "$(dirname "$0")/suite.sh"

truncate -s 1M "$T/a" "$T/b"
guest "plain" "$guests/pci.elf" devices=34
guest "two disks" -d "$T/a" -d "$T/b,ro" "$guests/pci.elf" devices=3422
guest "no entropy, a disk" --no-rng -d "$T/a" "$guests/pci.elf" devices=32
warning=rng0 guest "MSI-X" "$guests/msix.elf"
plan
