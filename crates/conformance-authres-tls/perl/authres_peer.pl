# Perl's Mail::AuthenticationResults as a peer: reads a JSON list of values of Authentication-Results,
# prints what it reads of each, or why it refuses it. With --serve, it answers over the interface of docs/vectors.md.
# The module is independent of the crates.
use strict;
use warnings;
use JSON::PP;
use Mail::AuthenticationResults::Parser;

my $json = JSON::PP->new->utf8->canonical;
sub text { my ($it) = @_; return defined $it ? "$it" : undef }

sub read_value {
    my ($value) = @_;
    my $header = eval { Mail::AuthenticationResults::Parser->new($value)->parsed };
    return { error => "$@" } if !defined $header;
    my @results;
    for my $entry (grep { ref($_) =~ /::Entry$/ } @{ $header->children }) {
        my ($reason, @properties);
        for my $part (grep { ref($_) =~ /::SubEntry$/ } @{ $entry->children }) {
            if (lc $part->key eq 'reason') { $reason = text($part->value); next }
            my ($ptype, $property) = split /\./, $part->key, 2;
            push @properties, [ $ptype, $property, text($part->value) ];
        }
        push @results, { method => text($entry->key), result => text($entry->value),
            reason => $reason, properties => \@properties };
    }
    return { authserv_id => text($header->value->value), results => \@results };
}

# What is accepted of a case, or undef; dies of what it has no answer to.
sub real {
    my ($input) = @_;
    die "ARC\n" if $input->{arc};
    my $said = read_value($input->{value});
    return undef if defined $said->{error};
    my @results;
    for my $it (@{ $said->{results} }) {
        my @properties = map { [ join('.', grep { defined } @$_[ 0, 1 ]), $_->[2] ] } @{ $it->{properties} };
        my %result = (method => $it->{method}, result => $it->{result}, properties => \@properties);
        $result{reason} = $it->{reason} if defined $it->{reason};
        push @results, \%result;
    }
    return { results => \@results };
}

# Only accept or reject: the reader keeps comments elsewhere.
sub header {
    my ($input) = @_;
    my $is_other = ($input->{mode} // 'strict') ne 'strict' || grep { $input->{$_} } qw(eai arc bare_lf);
    die "lenient, EAI, ARC or a bare LF\n" if $is_other;
    die "a recipe\n" if ref $input->{value};
    return defined read_value($input->{value})->{error} ? undef : {};
}

my %suites = ('authres-tls/real' => \&real, 'authres-tls/header' => \&header);

sub answer {
    my ($request) = @_;
    my $suite = $suites{ $request->{suite} } or return { unsupported => 'no such suite' };
    my $accepted = eval { $suite->($request->{input}) };
    return { unsupported => $@ } if $@;
    return defined $accepted ? { accept => $accepted } : { reject => undef };
}

if ("@ARGV" eq '--serve') {
    $| = 1;
    while (my $line = <STDIN>) {
        print $json->encode(answer($json->decode($line))), "\n";
    }
} else {
    print $json->encode([ map { read_value($_) } @{ $json->decode(join '', <STDIN>) } ]);
}
