# Perl's Mail::AuthenticationResults as a peer: reads a JSON list of values of Authentication-Results,
# prints what it reads of each, or why it refuses it. The module is independent of the crates.
use strict;
use warnings;
use JSON::PP;
use Mail::AuthenticationResults::Parser;

my $json = JSON::PP->new->utf8->canonical;
my $values = $json->decode(join '', <STDIN>);

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

print $json->encode([ map { read_value($_) } @$values ]);
