#!/bin/bash
# soak.t: lodge is started and ended many times over, in every way there is to
# end, and leaves nothing behind: no process, thread, interface or file, and as
# many descriptors are open in the last as in the first. STARTS says how often;
# `make soak` has a thousand. In a network namespace of its own.
if [ -z "${LODGE_TEST_NAMESPACES:-}" ]; then
	[ "$(id -u)" = 0 ] && map= || map=-r
	LODGE_TEST_NAMESPACES=1 exec unshare $map --net -- "$0"
fi
. "$(dirname "$0")/faults.sh"

starts=${STARTS:-100}
mkdir "$T/tmp"
truncate -s 1M "$T/image"
devices=(-c 2 -d "$T/image" -n tap -n tap,queues=2 --stats=json:"$T/stats")
# What is there besides: files here, interfaces, processes of ours.
traces() {
	ls -A "$T/tmp" /dev/shm
	ip -o link show | wc -l
	pgrep -s 0 lodge
}
before=$(TMPDIR=$T/tmp traces)

# Which threads (but for those the kernel adds as it likes) and open files a lodge has
# whose guest waits, and how many of each.
inventory() {
	{
		grep -h '^lodge' /proc/$pid/task/*/comm
		readlink /proc/$pid/fd/* | sed "s,$T,,; s/[0-9][0-9]*/N/g"
	} | sort | uniq -c
}

wrong=0
# expect HOW STATUS
expect() {
	[ "$status" = "$2" ] && return
	wrong=$((wrong + 1))
	echo "# $1 ended with $status, not $2"
}

# guest_ends HOW STATUS ARGS...: by itself.
guest_ends() {
	TMPDIR=$T/tmp timeout -k 2 "$LIMIT" "$LODGE" "${devices[@]}" "$guests/ending.elf" end=$1 \
		</dev/null >/dev/null 2>&1
	status=$?
	expect $1 $2
}

# signal_ends SIGNAL STATUS: while it waits.
signal_ends() {
	TMPDIR=$T/tmp start "${devices[@]}" "$guests/ending.elf" end=wait </dev/null
	now=$(inventory)
	: "${first:=$now}"
	last=$now
	kill -$1 $pid
	finish
	expect $1 $2
}
first='' last=''
exec 8<&- # what we were started with there is not the first one's
for ((i = 0; i < starts; i++)); do
	case $((i % 10)) in
	0 | 1) guest_ends poweroff 0 ;;
	2) guest_ends i8042 3 ;;
	3) guest_ends triple-fault 4 ;;
	4) guest_ends panic 4 ;;
	5) guest_ends not-emulated 5 ;;
	6) signal_ends TERM 143 ;;
	7) signal_ends INT 130 ;;
	8) signal_ends KILL 137 ;;
	9)
		TMPDIR=$T/tmp "$LODGE" "${devices[@]}" "$T/none" >/dev/null 2>&1
		status=$?
		expect "no kernel" 1
		;;
	esac
done
is $wrong 0 "$starts starts: every exit status as documented"
is "$last" "$first" "the last had the same threads and open files as the first"
is "$(TMPDIR=$T/tmp traces)" "$before" "nothing is left behind"
is "$(ls -A "$T" | sort | xargs)" "err image out pipe stats tmp" "and no file that was not asked for"
plan
