# Perl's Mail::AuthenticationResults as a peer: reads `NAME COUNT` lines, answers with nanoseconds for
# that many rounds of the ten values of that name. Of values it cannot read only the attempt counts.
use strict;
use warnings;
use FindBin;
use JSON::PP;
use Mail::AuthenticationResults::Parser;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

open my $file, '<', "$FindBin::Bin/values.json" or die $!;
my $values = decode_json(join '', <$file>);
my %read;
for my $name (keys %$values) {
    $read{$name} = [grep { defined } map { parse($_) } @{$values->{$name}}];
    printf STDERR "perl reads %d of 10 values of %s\n", scalar @{$read{$name}}, $name;
}

sub parse {
    my ($value) = @_;
    return eval { Mail::AuthenticationResults::Parser->new($value)->parsed };
}

$| = 1;
while (my $line = <STDIN>) {
    my ($task, $count) = split ' ', $line;
    my ($what, $name) = split /-/, $task;
    my $start = clock_gettime(CLOCK_MONOTONIC);
    for (1 .. $count) {
        if ($what eq 'parse') {
            parse($_) for @{$values->{$name}};
        } else {
            $_->as_string for @{$read{$name}};
        }
    }
    printf "%d\n", (clock_gettime(CLOCK_MONOTONIC) - $start) * 1e9;
}
