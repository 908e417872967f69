# Bench.pm: what the benches share: medians, the facts of the host, programs
# built when needed, the JSON file at the end.

package Bench;
use strict;
use warnings;
use Exporter 'import';
use JSON::PP ();
use POSIX ();

our @EXPORT = qw(build_program first_line host_facts max median min newer run write_json);

sub min { return (sort { $a <=> $b } @_)[0] }
sub max { return (sort { $a <=> $b } @_)[-1] }

sub median {
    my @sorted = sort { $a <=> $b } @_;
    return @sorted % 2 ? $sorted[$#sorted / 2]
                       : ($sorted[@sorted / 2 - 1] + $sorted[@sorted / 2]) / 2;
}

sub run {
    system(@_) == 0 or die "cannot run: @_\n";
}

sub newer {
    my ($target, $source) = @_;
    return -e $target && -M $target <= -M $source;
}

# build_program(TARGET, SOURCE, FLAG...): by the C compiler of this machine.
sub build_program {
    my ($target, $source, @flags) = @_;
    my @cc = split ' ', $ENV{CC} // "cc";
    run(@cc, qw(-std=gnu17 -O2 -Wall -Wextra -D_GNU_SOURCE), "-o", $target, $source, @flags)
        unless newer($target, $source);
}

sub first_line {
    open(my $pipe, "-|", @_) or return "unknown";
    my $line = <$pipe> // "unknown";
    1 while <$pipe>;
    close $pipe;
    chomp $line;
    return $line;
}

sub host_facts {
    my ($lodge, $qemu) = @_;
    my ($cpus, $model, $kvm) = (0, "unknown", "software (the CPU has neither svm nor vmx)");

    open(my $file, "<", "/proc/cpuinfo") or die "/proc/cpuinfo: $!\n";
    while (<$file>) {
        $cpus++ if /^processor\s*:/;
        $model = $1 if /^model name\s*:\s*(.*)/;
        $kvm = "hardware ($1)" if /^flags\s*:.*\b(svm|vmx)\b/;
    }
    return {
        kernel => join(" ", (POSIX::uname())[0, 2, 4]),
        cpus => $cpus,
        cpu => $model,
        kvm => $kvm,
        qemu => first_line($qemu, "--version"),
        lodge => first_line($lodge, "--version"),
    };
}

sub write_json {
    my ($path, $data) = @_;
    open(my $file, ">", $path) or die "$path: $!\n";
    print $file JSON::PP->new->canonical->pretty->encode($data);
    close($file) or die "$path: $!\n";
}

1;
