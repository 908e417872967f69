#!/bin/bash
# memory-map.t: the memory map by both protocols, at sizes around the edges.
. "$(dirname "$0")/suite.sh"

for mib in 64 512 3071 3072 3073 4096 8192; do
	guest "PVH, $mib MiB" -m ${mib}M "$guests/memory-map.elf" memory=$mib
done
for mib in 64 512 4096 8192; do
	guest "e820, $mib MiB" -m ${mib}M "$guests/memory-map-nonote.elf" memory=$mib
done
guest "sizes in G" --memory=4G "$guests/memory-map.elf" memory=4096
guest "no size given" "$guests/memory-map.elf" memory=512
plan
