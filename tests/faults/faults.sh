# faults.sh: what the scripts here share, on top of the native suite's.

. "$(dirname "${BASH_SOURCE[0]}")/../guests/suite.sh"

# orders ARGS...: start the guest that does what it is told; see guests/orders.c.
orders() {
	rm -f "$T/keyboard"
	mkfifo "$T/keyboard"
	exec 7<>"$T/keyboard"
	start "$@" "$guests/orders.elf" <&7
}

# order WORDS: its answer, in $answer.
order() {
	answer=nothing
	echo "$1" >&7
	IFS= read -r -t "$LIMIT" answer <&8
	answer=${answer%$'\r'}
}

# obeys WORDS REGEX NAME
obeys() {
	order "$1"
	like "$answer" "^$1: $2\$" "$3"
}

# dismiss NAME: tell it to go; it can, and does.
dismiss() {
	echo q >&7
	finish
	exec 7>&-
	is "$status" 0 "$1: and lodge lives to power off"
}

# errors REGEX: how many lines of standard error say so.
errors() { grep -cE "$1" "$T/err"; }
