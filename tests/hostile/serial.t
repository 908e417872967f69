#!/bin/bash
# serial.t: a serial port with input without end and without a reader; see serial.c.
. "$(dirname "$0")/suite.sh"

tap t0
# One packet, and no question before it.
ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:09 dev t0
answer() { echo >/dev/udp/10.9.0.2/9; }

mkfifo "$T/yes"
for words in "" asks; do
	yes >"$T/yes" &
	# shellcheck disable=SC2086  # a word or none
	input=$T/yes attack "${words:-does not ask}" -m 64M -n tap=t0 "$attackers/serial.elf" $words
done
plan
