#!/bin/bash
# core.t: a core dump of lodge holds nothing of its guest's memory, unless that
# was asked for. The guest's initrd is a mark that stands nowhere else.
. "$(dirname "$0")/../guests/suite.sh"

read -r pattern </proc/sys/kernel/core_pattern
if [ "${pattern#[|/]}" != "$pattern" ] || ! ulimit -c unlimited 2>/dev/null; then
	echo "1..1"
	echo "ok 1 # SKIP cores do not land in the current directory here"
	exit 0
fi
mark=guest-$RANDOM$RANDOM$RANDOM-secret
echo "$mark" >"$T/initrd"

# dumped NAME WANT ARGS...: is the mark in the core?
dumped() {
	local name=$1 want=$2
	shift 2
	mkdir "$T/cores"
	cd "$T/cores" || exit 1
	start -m 64M -i "$T/initrd" "$@" "$guests/ending.elf" end=wait </dev/null
	cd "$top" || exit 1
	kill -ABRT $pid
	finish
	is "$status" 134 "$name: SIGABRT ends it"
	ok "$name: there is a core" [ -s "$(echo "$T"/cores/*)" ]
	is "$(cat "$T"/cores/* | grep -ac "$mark")" "$want" "$name: how often the guest's memory is in it"
	rm -r "$T/cores"
}
dumped "as ever" 0
dumped "without a sandbox" 0 --sandbox=off
dumped "--dump-guest-memory" 1 --dump-guest-memory
plan
