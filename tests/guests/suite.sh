# suite.sh: what the native suite's scripts share; each NAME.t sources it.
#
# A script boots guests with the lodge under test ($LODGE, default
# build/lodge), passes on the checks each guest prints, and adds its own about
# what can only be seen from outside. Everything is bounded by $LIMIT seconds
# and happens in $T, a directory that goes away.

set -u
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
LODGE=${LODGE:-build/lodge}
case $LODGE in /*) ;; *) LODGE=$top/$LODGE ;; esac
LIMIT=${LIMIT:-30}
guests=$top/build/guests
tools=$top/build/tools
checks=0
failures=0

# The one thing that may be missing.
if ! (: <>/dev/kvm) 2>/dev/null; then
	echo "1..0 # SKIP no usable /dev/kvm"
	exit 0
fi
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT

# result 0|1 NAME: one line of TAP.
result() {
	checks=$((checks + 1))
	if [ "$1" = 0 ]; then
		echo "ok $checks - $2"
	else
		failures=$((failures + 1))
		echo "not ok $checks - $2"
	fi
}

# ok NAME COMMAND...: the command succeeds.
ok() {
	local name=$1
	shift
	"$@"
	result $? "$name"
}

# is GOT WANT NAME
is() {
	[ "$1" = "$2" ]
	result $? "$3"
	[ "$1" = "$2" ] || printf '# got:  %s\n# want: %s\n' "${1//$'\n'/$'\n'#       }" "${2//$'\n'/$'\n'#       }"
}

# like GOT REGEX NAME
like() {
	[[ $1 =~ $2 ]]
	result $? "$3"
	[[ $1 =~ $2 ]] || printf '# got:  %s\n# want: %s\n' "${1//$'\n'/$'\n'#       }" "$2"
}

plan() {
	echo "1..$checks"
	[ $failures = 0 ]
}

# lodge ARGS...: run it, bounded, with its output and errors in $T/out and
# $T/err, and leave its exit status in $status. Standard input is inherited.
lodge() {
	timeout -k 2 "$LIMIT" "$LODGE" "$@" >"$T/out" 2>"$T/err"
	status=$?
}

# relay LABEL FILE: a guest's TAP becomes ours. Its checks are renumbered; its
# plan must agree with what it printed, else it ended early.
relay() {
	local label=$1 line n=0 planned=none
	while IFS= read -r line || [ -n "$line" ]; do
		line=${line%$'\r'}
		if [[ $line =~ ^(not )?ok\ [0-9]+\ (.*)$ ]]; then
			n=$((n + 1))
			checks=$((checks + 1))
			[ -z "${BASH_REMATCH[1]}" ] || failures=$((failures + 1))
			echo "${BASH_REMATCH[1]}ok $checks ${BASH_REMATCH[2]/#- /- $label: }"
		elif [[ $line =~ ^1\.\.([0-9]+)$ ]]; then
			planned=${BASH_REMATCH[1]}
		else
			echo "# ${line#\# }"
		fi
	done < <(tr -d '\000' <"$2")
	is "$n" "$planned" "$label: the guest ran to its end"
}

# guest LABEL ARGS...: boot it, relay its checks, expect a clean power-off with
# nothing on standard error (or only what matches $warning).
guest() {
	local label=$1
	shift
	lodge "$@" </dev/null
	relay "$label" "$T/out"
	is "$status" 0 "$label: exit status 0"
	if [ -n "${warning:-}" ]; then
		like "$(<"$T/err")" "^lodge: warning: [^$]*$warning[^$]*\$" "$label: one warning on standard error"
	else
		is "$(<"$T/err")" "" "$label: nothing on standard error"
	fi
}

# refused_net STATUS REGEX NAME NET [ARGS...]: this --net is refused, in one line.
refused_net() {
	local want=$1 regex=$2 name=$3
	shift 3
	lodge -n "$@" "$guests/ending.elf" end=poweroff </dev/null
	is "$status" "$want" "$name: exit status $want"
	is "$(grep -c . "$T/err")" 1 "$name: one line on standard error"
	like "$(head -1 "$T/err")" "$regex" "$name: which says why"
}

# start ARGS...: run lodge in the background, until its guest prints "ready".
# Its output comes through a pipe, so nothing polls and nothing sleeps.
start() {
	local line
	rm -f "$T/pipe"
	mkfifo "$T/pipe"
	# A shell has its background jobs ignore these two, and lodge would leave it so.
	env --default-signal=INT,QUIT "$LODGE" "$@" <&0 >"$T/pipe" 2>"$T/err" 7>&- &
	pid=$!
	exec 8<"$T/pipe"
	: >"$T/out"
	while IFS= read -r -t "$LIMIT" line <&8; do
		line=${line%$'\r'}
		[ "$line" != ready ] || return 0
		printf "%s\n" "$line" >>"$T/out"
	done
	echo "# the guest never got ready"
	return 1
}

# finish: the rest of its output, and its exit status.
finish() {
	timeout "$LIMIT" cat <&8 >>"$T/out" || kill -KILL $pid
	exec 8<&-
	wait $pid
	status=$?
} 2>/dev/null
