#!/bin/bash
# signals.t: SIGTERM, SIGINT and SIGHUP at any moment from exec to exit. The
# moments are system calls, counted over all threads; which ones is chosen anew
# each time, from SEED (printed), and ROUNDS says how many. And what signals that
# ask for something else must not do.
if [ -z "${LODGE_TEST_NAMESPACES:-}" ]; then
	[ "$(id -u)" = 0 ] && map= || map=-r
	LODGE_TEST_NAMESPACES=1 exec unshare $map --net -- "$0"
fi
. "$(dirname "$0")/faults.sh"

RANDOM=${SEED:=$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')}
rounds=${ROUNDS:-60}
echo "# SEED=$SEED ROUNDS=$rounds"
truncate -s 1M "$T/image"
run=("$LODGE" -d "$T/image" -n tap "$guests/ending.elf" end=poweroff)

"$tools/strike" 0 0 "${run[@]}" </dev/null >"$T/out" 2>"$T/err"
is $? 0 "without a signal: exit status 0"
calls=$(sed -n 's/^strike: \([0-9]*\) calls$/\1/p' "$T/err")
ok "without a signal: there are moments to choose from ($calls)" [ "${calls:-0}" -gt 100 ]

# struck N SIGNAL NUMBER
struck() {
	local name="SIG$2 at call $1"
	timeout -k 2 "$LIMIT" "$tools/strike" $1 $3 "${run[@]}" </dev/null >"$T/out" 2>"$T/err"
	status=$?
	sed -i '/^strike: /d' "$T/err"
	ended[status]=$((${ended[status]:-0} + 1))
	# It may be over before it hears of it; else the signal is what ended it.
	[ $status = 0 ] || [ $status = $((128 + $3)) ]
	result $? "$name: exit status 0 or $((128 + $3)): $status"
	[ $status = 0 ] && want='^$' || want="^(lodge: ended by signal $3 \\(SIG$2\\))?\$"
	like "$(<"$T/err")" "$want" "$name: and nothing else to say"
}
signals=(TERM INT HUP)
numbers=(15 2 1)
ended=()
for ((i = 0; i < rounds; i++)); do
	struck $((1 + (RANDOM * 32768 + RANDOM) % calls)) ${signals[i % 3]} ${numbers[i % 3]}
done
for code in "${!ended[@]}"; do echo "# ${ended[code]} times exit status $code"; done
is "$(ip -o link show type tun | wc -l)" 0 "no interface is left"

# News: statistics are wanted, the terminal has another size. Not before main() is at
# work, for which the calls of a lodge that does nothing else are more than enough.
"$tools/strike" 0 0 "$LODGE" --version >"$T/out" 2>"$T/err"
first=$(sed -n 's/^strike: \([0-9]*\) calls$/\1/p' "$T/err")
for ((i = 0; i < rounds; i++)); do
	call=$((first + (RANDOM * 32768 + RANDOM) % (calls - first)))
	signal=$((i % 2 ? 10 : 28))
	timeout -k 2 "$LIMIT" "$tools/strike" $call $signal "${run[@]}" </dev/null >"$T/out" 2>"$T/err"
	is $? 0 "SIG$(kill -l $signal) at call $call ends nothing"
done

# timeout(1) sends its signal to the process, and to its group: one comes when the end
# has been decided, and is not all told. As here, where the guest has powered off.
timeout -k 2 "$LIMIT" "$tools/strike" lodge-vcpu0 15 "$LODGE" --console virtio --stats=json:"$T/stats" \
	"$guests/ending.elf" end=poweroff </dev/null >"$T/out" 2>"$T/err"
is $? 0 "SIGTERM while all is taken down: the end stays what it was"
like "$(tail -n 1 "$T/stats")" '^}$' "and the statistics are written"

trap '' HUP
start --stats=json:"$T/stats" "$guests/ending.elf" end=wait </dev/null
trap - HUP
kill -HUP $pid
kill -TERM $pid
finish
is "$status" 143 "SIGHUP, which whoever started it ignores (nohup), is not the end; SIGTERM is"

# A passt that never gets ready.
mkdir "$T/bin"
mkfifo "$T/started"
printf '#!/bin/sh\necho $$ >"%s"\nexec tail -f /dev/null\n' "$T/started" >"$T/bin/passt"
chmod +x "$T/bin/passt"
PATH=$T/bin:$PATH "$LODGE" -n passt "$guests/ending.elf" end=poweroff 2>"$T/err" &
pid=$!
read -r -t "$LIMIT" passt <"$T/started"
kill -TERM $pid
timeout "$LIMIT" tail -f /dev/null --pid=$pid || kill -KILL $pid
wait $pid 2>/dev/null
is $? 143 "SIGTERM while passt is started"
kill $passt
plan
