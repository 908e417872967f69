#!/bin/bash
# tty.t: lodge on a terminal. expect plays the user at a shell, whose terminal
# has 37 rows and 100 columns; stty on the same terminal tells its settings.
. "$(dirname "$0")/suite.sh"
export LODGE guests LIMIT

# session NAME COMMAND STATUS SCRIPT: run `lodge COMMAND` at the shell; SCRIPT
# is the user. Afterwards lodge has ended with STATUS and the terminal is as it
# was. Only the last line of the expect script says so: an error in it, or
# something it waited for in vain, is a failed test.
session() {
	local name=$1 said
	said=$(command=$2 expect -c '
		set timeout $env(LIMIT)
		log_user 0
		set stty_init "rows 37 columns 100"
		proc want {what} {
			expect {
				-re $what { return $expect_out(0,string) }
				timeout { puts "# waited in vain for $what"; exit 1 }
				eof { puts "# ended before $what"; exit 1 }
			}
		}
		spawn bash --norc --noprofile
		send "PS1=; stty -echo; before=\$(stty -g); echo started\r"
		want "\[\r\n]started"
		send "$env(LODGE) $env(command); echo status \$?\r"
		'"$4"'
		want {status '"$3"'[\r\n]}
		send "\[ \"\$before\" = \"\$(stty -g)\" ] && echo restored || echo spoilt\r"
		puts [want "restored|spoilt"]
	' 2>&1)
	is "$said" restored "$name"
}
sum() {
	printf "$1" | cksum | cut -d' ' -f1
}

session "power-off restores the terminal" "$guests/ending.elf end=poweroff" 0 ''
session "so does a reset" "$guests/ending.elf end=i8042" 3 ''
session "and a triple fault" "$guests/ending.elf end=triple-fault" 4 ''
session "SIGTERM restores the terminal" "$guests/ending.elf end=wait" 143 '
	want ready
	exec pkill -TERM -P [exp_pid]
'
session "Ctrl-A x quits, serial" "$guests/ending.elf end=wait" 130 '
	want ready
	send "\001x"
'
# The first key has been read when nothing waits on the terminal any more (FIONREAD).
session "also if the guest leaves what was typed before" "$guests/ending.elf end=wait" 130 '
	want ready
	send "a"
	exec perl -e {alarm $ENV{LIMIT}; my $n = pack "L", 1; ioctl STDIN, 0x541b, $n while unpack "L", $n} < $spawn_out(slave,name)
	send "\001x"
'
session "Ctrl-A x quits, virtio" "--console virtio $guests/console.elf size" 130 '
	want ready
	send "\001x"
'
session "Ctrl-C goes to the guest" "$guests/uart.elf echo=1 cksum=$(sum '\003')" 0 '
	want ready
	send "\003"
	want "\nok 2"
'
session "Ctrl-A Ctrl-A sends one Ctrl-A" "$guests/uart.elf echo=2 cksum=$(sum '\001b')" 0 '
	want ready
	send "\001\001b"
	want "\nok 2"
'
session "the console knows the terminal's size, and its change" \
	"--console virtio $guests/console.elf size" 0 '
	want "size 100 x 37"
	want ready
	stty rows 50 columns 120 < $spawn_out(slave,name)
	want "size 120 x 50"
'

# In the background the terminal is somebody else's, and who sets it there is stopped.
session "stopped, and ended in the background" "$guests/ending.elf end=wait" 143 '
	want ready
	set lodge [exec pgrep -P [exp_pid]]
	exec kill -STOP $lodge
	want "status 147"
	exec kill -CONT $lodge
	exec kill -TERM $lodge
	exec timeout $env(LIMIT) tail --pid=$lodge -f /dev/null
	send "wait %1; echo status \$?\r"
'
plan
