#!/bin/bash
# readme.t: what the README says is so: its links lead somewhere, its exit table is
# the program's, `make demo` works, and its examples run (tests/readme-job).

set -u
cd "$(dirname "$0")/.."
LODGE=${LODGE:-$PWD/build/lodge}
n=0 bad=0
result() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; bad=1; fi
}

for link in $(grep -oE '\]\([^)#:]+' README.md docs/*.md tests/README.md | sed 's/^\([^:]*\):](/\1:/'); do
	file=$(dirname "${link%%:*}")/${link#*:}
	[ -e "$file" ]
	result $? "${link%%:*}: ${link#*:} exists"
done

table=$(sed -n 's/^| \([0-9+N]*\) | \(.*\) |$/\1 \2/p' README.md)
help=$("$LODGE" --help | sed -n '/^Exit status:/,$s/^  \([0-9+N]*\) *\(.*\)/\1 \2/p')
[ -n "$table" ] && [ "$table" = "$help" ]
result $? "the exit table is that of --help"

for option in $("$LODGE" --help | grep -oE '^ +(-., )?--[a-z-]+' | grep -oE '\-\-[a-z-]+'); do
	case $option in --help | --version | --verbose | --no-rng | --cpus | --memory) continue ;; esac
	grep -q -- "$option" README.md
	result $? "README shows $option"
done

"$LODGE" --help | grep -q 'written twice: a,,b' && grep -A 1 'written twice:' README.md | grep -q 'a,,b'
result $? "README shows a comma in a name as --help does"

make --no-print-directory demo >build/demo.log 2>&1
result $? "make demo"
tail -n 5 build/demo.log | sed 's/^/# /'

tests/lib/nested --tap tests/readme-job >build/readme-job.tap
status=$?
while read -r line; do
	case $line in
	"ok "*) result 0 "${line#ok * - }" ;;
	"not ok "*) result 1 "${line#not ok * - }" ;;
	*) echo "# ${line#\# }" ;;
	esac
done <build/readme-job.tap
result $status "all examples were run"

echo "1..$n"
exit $bad
