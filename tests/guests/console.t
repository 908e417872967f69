#!/bin/bash
# console.t: the virtio console wired to standard input and output, on both
# transports, and what happens when those are not what one hopes for.
. "$(dirname "$0")/suite.sh"

mkfifo "$T/fifo"
for transport in pci mmio; do
	options=(--console virtio --transport $transport)
	guest "$transport" "${options[@]}" "$guests/console.elf"

	lodge "${options[@]}" "$guests/console.elf" pattern=200000 </dev/null
	start=$(grep -abom1 '^pattern$' "$T/out" | cut -d: -f1)
	is "$(tail -c +$((start + 9)) "$T/out" | head -c 200000 | cksum)" \
		"$(perl -e 'print map { chr(($_ % 251 ^ int($_ / 256)) & 255) } 0 .. 199999' | cksum)" \
		"$transport: 200000 bytes of output unchanged"
	is "$status" 0 "$transport: output: exit status 0"

	for bytes in 1 100 150000; do
		head -c $bytes /dev/urandom >"$T/input"
		read -r sum _ < <(cksum "$T/input")
		exec 7<>"$T/fifo"
		start "${options[@]}" "$guests/console.elf" echo=$bytes cksum=$sum <"$T/fifo"
		cat "$T/input" >&7 &
		writer=$!
		exec 7>&-
		finish
		kill $writer 2>/dev/null
		is $status 0 "$transport, $bytes bytes of input: exit status 0"
		relay "$transport, $bytes bytes of input" "$T/out"
	done
done

# The other one is there, but leads nowhere.
guest "serial wired, console there" "$guests/console.elf" serial
lodge "$guests/console.elf" </dev/null
is "$status$(<"$T/out")" 0 "serial wired: what goes to the console is swallowed"
lodge --console virtio "$guests/uart.elf" </dev/null
is "$status$(<"$T/out")" 0 "console wired: what goes to the serial port is swallowed"

run=(timeout -k 2 "$LIMIT" "$LODGE" --console virtio "$guests/console.elf" pattern=200000)
"${run[@]}" </dev/null >/dev/full 2>"$T/err"
is $? 0 "standard output full"
"${run[@]}" </dev/null >&- 2>"$T/err"
is $? 0 "standard output closed"
"${run[@]}" </dev/null 2>"$T/err" | head -c 1 >/dev/null
is "${PIPESTATUS[0]}" 0 "standard output a pipe nobody reads any more"
"${run[@]}" <&- >"$T/out" 2>"$T/err"
is $? 0 "standard input closed"
"${run[@]}" < <(yes) >"$T/out" 2>"$T/err"
is $? 0 "standard input that never ends, unread"
plan
