#!/bin/sh
# The seeds' load: rounds of Apache Bench calls against `landfall game-api`, with a pause after each round.
#   API=http://localhost:5000  ROUNDS=0 (until Ctrl-C)  PAUSE=10 (seconds)
set -eu
API=${API:-http://localhost:5000}
ROUNDS=${ROUNDS:-0}
PAUSE=${PAUSE:-10}
command -v ab >/dev/null || { echo "ab is missing: it comes with apache2-utils (Debian) or httpd-tools (Fedora)" >&2; exit 69; }

call() { # how often, as which host, what
    ab -q -n "$1" -H "Host: $2" "$API$3"
}

round=0
while true; do
    call 2 user1.comcast.com /purchase_a_sword/sabre
    call 1 user1.comcast.com /purchase_a_shield/mirror_shield
    call 4 user1.comcast.com /join_guild/house_stark
    call 3 user1.comcast.com /leave_guild/house_stark
    call 2 anand.comcast.com /join_guild/grubs
    call 1 dre.comcast.com /join_guild/grubs
    call 1 dre.comcast.com /join_guild/secret_club
    call 1 anand.comcast.com /join_guild/secret_club
    call 3 user1.comcast.com /leave_guild/house_greyjoy
    call 1 user2.att.com /purchase_a_sword/katana
    call 2 user2.att.com /purchase_a_sword/estoc
    call 1 user2.comcast.com /purchase_a_shield/leather_shield
    round=$((round + 1))
    [ "$round" -eq "$ROUNDS" ] && exit 0
    sleep "$PAUSE"
done
