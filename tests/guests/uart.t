#!/bin/bash
# uart.t: the serial port, from inside its registers and from outside its bytes.
. "$(dirname "$0")/suite.sh"

guest "registers" "$guests/uart.elf"

# Output: 8 KiB of every value must leave as they are.
lodge "$guests/uart.elf" pattern=8192 </dev/null
tail -c +9 "$T/out" | head -c 8192 | cksum >"$T/got"
perl -e 'print map { chr(($_ % 251 ^ int($_ / 256)) & 255) } 0 .. 8191' | cksum >"$T/want"
is "$(head -c 8 "$T/out")" "pattern" "output: the pattern starts"
is "$(<"$T/got")" "$(<"$T/want")" "output: 8192 bytes of every value unchanged"
is "$status" 0 "output: exit status 0"

# Input through a pipe. It is sent when the guest says that it listens, since
# setting up the port empties its FIFO. Then the pipe is closed, or is not.
mkfifo "$T/fifo"
input() {
	local then=$1 sum bytes
	read -r sum bytes _ < <(cksum "$T/input")
	exec 7<>"$T/fifo"
	start "$guests/uart.elf" echo=$bytes cksum=$sum <"$T/fifo"
	cat "$T/input" >&7
	[ "$then" = open ] || exec 7>&-
	finish
	exec 7>&-
	relay "$bytes bytes of input, then $then" "$T/out"
	is "$status" 0 "$bytes bytes of input, then $then: exit status 0"
}
for bytes in 1 16 17 6000; do
	head -c $bytes /dev/urandom >"$T/input"
	input closed
done
input open

# However the standard streams are, the guest runs to its end.
lodge "$guests/uart.elf" </dev/null
is "$status" 0 "standard input /dev/null"
lodge "$guests/uart.elf" <&-
is "$status" 0 "standard input closed"
lodge "$guests/uart.elf" < <(yes)
is "$status" 0 "standard input that never ends, unread"
timeout -k 2 "$LIMIT" "$LODGE" "$guests/uart.elf" </dev/null >/dev/full 2>"$T/err"
is $? 0 "standard output full"
timeout -k 2 "$LIMIT" "$LODGE" "$guests/uart.elf" </dev/null >&- 2>"$T/err"
is $? 0 "standard output closed"
timeout -k 2 "$LIMIT" "$LODGE" "$guests/uart.elf" </dev/null 2>"$T/err" | head -c 1 >/dev/null
is "${PIPESTATUS[0]}" 0 "standard output a pipe nobody reads any more"
timeout -k 2 "$LIMIT" "$LODGE" "$guests/uart.elf" </dev/null >"$T/out" 2>&-
is $? 0 "standard error closed"
plan
