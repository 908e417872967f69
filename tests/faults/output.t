#!/bin/bash
# output.t: the guest prints megabytes, and nobody reads, or everybody is gone:
# it does not wait, what was lost is counted, and what can still be read is kept
# by a child until it has been, whatever became of lodge.
. "$(dirname "$0")/faults.sh"

bytes=6000000
# The child that stays behind, of the processes of our session.
child() { pgrep -n -x -s 0 lodge-output; }
# gone PID: it ends, sooner or later.
gone() { timeout "$LIMIT" tail -f /dev/null --pid="$1" -s 0.1; }

# A pipe that stays open and is not read, before the guest has ended.
mkfifo "$T/pipe"
exec 9<>"$T/pipe"
timeout -k 2 "$LIMIT" "$LODGE" --console virtio "$guests/console.elf" pattern=$bytes </dev/null >"$T/pipe" 2>"$T/err" 9<&-
is $? 0 "full pipe: the guest printed into it, and powered off"
like "$(<"$T/err")" "^lodge: warning: [0-9]+ bytes of console output were dropped: nobody read them in time\$" \
	"full pipe: how much was lost is told"
dropped=$(tr -dc 0-9 <"$T/err")
child=$(child)
ok "full pipe: a child waits with the rest" [ -n "$child" ]
# Opened for reading only, it ends when the last writer has written all and is gone.
exec 7<"$T/pipe" 9<&-
kept=$(timeout "$LIMIT" cat <&7 | wc -c)
exec 7<&-
ok "full pipe: what fits its buffer is still to be read ($kept bytes)" [ "$kept" -ge 1048576 ]
ok "full pipe: and with what was dropped it is what the guest printed" \
	[ $((kept + dropped - bytes)) -ge 0 -a $((kept + dropped - bytes)) -lt 1000 ]
ok "full pipe: the child is gone" gone "$child"

# The reader goes while lodge-output waits for it.
exec 9<>"$T/pipe"
timeout -k 2 "$LIMIT" "$LODGE" --console virtio "$guests/console.elf" pattern=$bytes </dev/null >"$T/pipe" 2>"$T/err" 9<&-
is $? 0 "reader gone: the guest powered off"
child=$(child)
ok "reader gone: a child waits" [ -n "$child" ]
exec 9<&-
ok "reader gone: and does not, once nobody is left to read" gone "$child"

# Nobody at all, from the beginning.
timeout -k 2 "$LIMIT" "$LODGE" --console virtio "$guests/console.elf" pattern=$bytes <&- >&- 2>&-
is $? 0 "no standard files at all: the guest powers off"
# SIGPIPE is not what ends it: the reader leaves in the middle.
timeout -k 2 "$LIMIT" "$LODGE" --console virtio "$guests/console.elf" pattern=$bytes </dev/null 2>"$T/err" |
	head -c 300000 >/dev/null
is "${PIPESTATUS[0]}" 0 "reader leaves in the middle: the guest powers off"
like "$(<"$T/err")" "^lodge: warning: console output is lost from here on: Broken pipe\$" \
	"reader leaves in the middle: one line says so"
# Input that ends in the middle: what was there arrives, and then there is no more.
printf 'r' | timeout -k 2 "$LIMIT" "$LODGE" "$guests/uart.elf" echo=1 cksum="$(printf r | cksum | cut -d' ' -f1)" >"$T/out" 2>"$T/err"
is "$?/$(grep -c '^not ok' "$T/out")/$(<"$T/err")" "0/0/" "input ends after one byte: which arrived"

# Two share a pipe: who comes second finds nothing to read, and still hears SIGTERM.
rm -f "$T/keyboard"
mkfifo "$T/keyboard"
exec 9<>"$T/keyboard"
deaf=0
for ((i = 0; i < 10; i++)); do
	pids=()
	for which in 0 1; do
		start "$guests/uart.elf" echo=100 cksum=0 <&9
		pids+=($pid)
		exec {fds[which]}<&8
	done
	echo >&9
	kill -TERM "${pids[@]}"
	for which in 0 1; do
		timeout "$LIMIT" cat <&"${fds[which]}" >/dev/null || { deaf=$((deaf + 1)); kill -KILL "${pids[which]}"; }
		exec {fds[which]}<&-
	done
	wait "${pids[@]}" 2>/dev/null
done
is $deaf 0 "two share standard input: both end when they are told to"
exec 9>&-

for option in --help --version; do
	timeout "$LIMIT" "$LODGE" $option >/dev/full 2>"$T/err"
	is "$?/$(<"$T/err")" "1/lodge: cannot write to standard output: No space left on device" \
		"$option onto a full disk: one line says so"
done
plan
