#!/bin/bash
# no-timers.t: nothing in the program waits for a time: neither its sources
# nor the symbols it links know of a timer, a sleep or a timeout. (An idle
# guest costs nothing, and nothing is late by a tick.)
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$top" || exit 1
LODGE=${LODGE:-build/lodge}
n=0
failed=0

# none NAME REGEX: no code (comments aside) matches, over line ends too.
none() {
	local found
	n=$((n + 1))
	found=$(REGEX=$2 perl -0777 -ne 's{/\*.*?\*/}{"\n" x ($& =~ tr/\n//)}gse;
		while (/$ENV{REGEX}/g) { print "$ARGV:", 1 + (substr($_, 0, $-[0]) =~ tr{\n}{}), ": $&\n" }' \
		launcher/*.[ch] devices/*.[ch])
	if [ -z "$found" ]; then
		echo "ok $n - $1"
	else
		failed=1
		echo "not ok $n - $1"
		printf '%s\n' "$found" | sed 's/^/# /'
	fi
}
none "no timers" '\b(timerfd_|timer_create|timer_settime|setitimer|alarm|ualarm|times)\w*\s*\('
none "no sleeps" '\b(usleep|sleep|nanosleep|clock_nanosleep)\s*\('
none "no timed waits" '\b(pthread_cond_timedwait|pthread_cond_clockwait|pthread_mutex_timedlock|pthread_timedjoin_np|sem_timedwait|sem_clockwait|sigtimedwait|mq_timed\w+|pselect|select)\s*\('
none "no poll with a timeout" '\b(poll|epoll_wait|epoll_pwait)\s*\((?![^;]*,\s*-1\s*(,[^,;]*)?\))'
none "no ppoll or epoll_pwait2 with a timeout" '\b(ppoll|epoll_pwait2)\s*\((?![^;]*,\s*NULL\s*,)'
none "no io_uring timeouts" 'IORING_OP_(LINK_)?TIMEOUT|io_uring_prep_(link_)?timeout|io_uring_wait_cqes\s*\((?![^;]*,\s*NULL\s*,)|io_uring_wait_cqe_timeout|io_uring_submit_and_wait_timeout|IORING_ENTER_EXT_ARG|SO_(RCV|SND)TIMEO'

for symbol in timerfd_create timerfd_settime timer_create timer_settime setitimer alarm usleep sleep \
	nanosleep clock_nanosleep pthread_cond_timedwait pthread_cond_clockwait sem_timedwait \
	sigtimedwait select pselect; do
	n=$((n + 1))
	if ! symbols=$(nm -u "$LODGE"); then
		failed=1
		echo "not ok $n - nm -u $LODGE"
	elif grep -qE " $symbol(@|$)" <<<"$symbols"; then
		failed=1
		echo "not ok $n - does not link $symbol"
	else
		echo "ok $n - does not link $symbol"
	fi
done
echo "1..$n"
exit $failed
