#!/bin/bash
# test_security.sh - a broker with TLS, client certificates, logins and an authorizer: what is right is
# recorded, and what is wrong is named within seconds, with what to do.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
unset KAFKA_ADDRESS
tls=$work/tls
topic=orders

# --- keys -----------------------------------------------------------------------------------------

authority() { # authority NAME
    openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=$1" \
        -keyout "$tls/$1.key" -out "$tls/$1.pem"
}

certificate() { # certificate NAME DAYS AUTHORITY: for localhost; NAME.chain.pem has the key too
    openssl req -newkey rsa:2048 -nodes -subj "/CN=$1" -keyout "$tls/$1.key" -out "$tls/$1.csr" &&
        openssl x509 -req -in "$tls/$1.csr" -CA "$tls/$3.pem" -CAkey "$tls/$3.key" -CAcreateserial \
            -days "$2" -extfile "$tls/names" -out "$tls/$1.pem" &&
        cat "$tls/$1.key" "$tls/$1.pem" >"$tls/$1.chain.pem"
}

make_keys() {
    mkdir -p "$tls" && echo "subjectAltName=DNS:localhost" >"$tls/names" &&
        authority good-ca && authority other-ca && certificate broker 30 good-ca &&
        certificate expired -1 good-ca && certificate member 30 good-ca && certificate stranger 30 other-ca
}

secure_broker() {
    local jaas=org.apache.kafka.common.security
    need_broker --listener LOGIN:SASL_SSL --listener MUTUAL:SSL --listener EXPIRED:SSL \
        --scram reader=right \
        --set ssl.keystore.type=PEM --set "ssl.keystore.location=$tls/broker.chain.pem" \
        --set ssl.truststore.type=PEM --set "ssl.truststore.location=$tls/good-ca.pem" \
        --set listener.name.mutual.ssl.client.auth=required \
        --set listener.name.expired.ssl.keystore.type=PEM \
        --set "listener.name.expired.ssl.keystore.location=$tls/expired.chain.pem" \
        --set sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512,OAUTHBEARER \
        --set "listener.name.login.plain.sasl.jaas.config=$jaas.plain.PlainLoginModule required user_reader=\"right\" user_nobody=\"right\" user_half=\"right\";" \
        --set "listener.name.login.scram-sha-512.sasl.jaas.config=$jaas.scram.ScramLoginModule required;" \
        --set "listener.name.login.oauthbearer.sasl.jaas.config=$jaas.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub=\"reader\";" \
        --set authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer \
        --set 'super.users=User:ANONYMOUS;User:CN=member'
    login=$("$broker_script" address "$cluster" LOGIN)
    mutual=$("$broker_script" address "$cluster" MUTUAL)
    expired=$("$broker_script" address "$cluster" EXPIRED)
}

# --- taps -----------------------------------------------------------------------------------------

tap() { # tap NAME ADDRESS PROPERTY...: NAME.conf with one tap
    local name=$1 address=$2
    shift 2
    printf '[tap.shop]\nurl = kafka://%s/%s\nfrom = beginning\n' "$address" "$topic" >"$work/$name.conf"
    [ $# = 0 ] || printf 'kafka.%s\n' "$@" >>"$work/$name.conf"
}

by_password() { # by_password NAME MECHANISM USER PASSWORD [CA]
    tap "$1" "$login" security.protocol=SASL_SSL "sasl.mechanism=$2" "sasl.username=$3" \
        "sasl.password=$4" "ssl.ca.location=$tls/${5:-good-ca}.pem"
}

records() { # records NAME: the whole topic
    rm -rf "$work/tape-$1"
    timeout 60 "$tapedeck" record --config "$work/$1.conf" --tape "$work/tape-$1" --until end &&
        same_as_topic "$work/tape-$1" "$topic"
}

passes() { # passes NAME: every check of `tap test` is good
    timeout 20 "$tapedeck" tap test --config "$work/$1.conf" shop >"$work/passes.out" || return
    cat "$work/passes.out"
    grep -q '^ok *read' "$work/passes.out" && ! grep -q '^bad' "$work/passes.out"
}

# Refused by record and by `tap test`, within 10 s, at this check and with these words.
fails() { # fails CODE NAME CHECK WORDS
    local code
    refused "$1" 10 record --config "$work/$2.conf" --tape "$work/tape-$2" || return
    grep -q -- "$4" "$work/refused.err" || { echo "record does not say '$4'"; return 1; }
    fails_test "$@"
}

fails_test() { # fails_test CODE NAME CHECK WORDS
    timeout 10 "$tapedeck" tap test --config "$work/$2.conf" shop >"$work/fails.out"
    code=$?
    cat "$work/fails.out"
    [ "$code" = "$1" ] || { echo "tap test: exit code $code, wanted $1"; return 1; }
    grep -A1 "^bad *$3" "$work/fails.out" | tr '\n' ' ' | grep -- "$4" | grep -q -e ' -> ' ||
        { echo "tap test does not say '$4' at $3, with a fix"; return 1; }
}

# SCRAM at Kafka 4 is beyond librdkafka before 2.6.1: then that must be what is said.
scram_is_possible() {
    case ${KAFKA_VERSION:-4} in 3.*) return 0 ;; esac
    ! "$tapedeck" doctor | grep -q "a login by SCRAM fails at Kafka 4"
}

state_is() { # state_is NAME TAP STATE WORDS: of the recorder with NAME.conf
    "$tapedeck" tap list --config "$work/$1.conf" --tape "$work/tape-$1" --json >"$work/list.json" || return
    cat "$work/list.json"
    grep "\"tap\":\"$2\"" "$work/list.json" | grep "\"state\":\"$3\"" | grep -q -- "$4"
}

recorded_by_both() {
    tape_lines "$work/tape-both" "$topic" >"$work/tape.lines" && topic_lines "$topic" >"$work/topic.lines" &&
        same_lines "$work/topic.lines" "$work/tape.lines"
}

need make_keys
secure_broker
need "$client" topic "$address" "$topic" 2
need "$producer" produce "$address" "$topic" 0 500
for operation in READ DESCRIBE; do
    need "$build/client_kafka_acl" allow "$address" "$topic" User:reader $operation
done
need "$build/client_kafka_acl" allow "$address" "$topic" User:half DESCRIBE

# --- what is right --------------------------------------------------------------------------------

by_password right PLAIN reader right
check "user, password and TLS: recorded" records right
check "and tested" passes right
tap member "$mutual" security.protocol=SSL "ssl.ca.location=$tls/good-ca.pem" \
    "ssl.certificate.location=$tls/member.pem" "ssl.key.location=$tls/member.key"
check "a client certificate: recorded" records member
check "and tested" passes member
tap token "$login" security.protocol=SASL_SSL sasl.mechanism=OAUTHBEARER "ssl.ca.location=$tls/good-ca.pem" \
    enable.sasl.oauthbearer.unsecure.jwt=true sasl.oauthbearer.config=principal=reader
check "a token: recorded" records token
check "and tested" passes token
by_password scram SCRAM-SHA-512 reader right
if scram_is_possible; then
    check "SCRAM: recorded" records scram
else
    check "SCRAM: it is said that this librdkafka cannot" fails 5 scram login "SCRAM needs librdkafka 2.6.1"
fi

echo right >"$work/password"
by_password file PLAIN reader "file:$work/password"
check "a password from a file" records file
by_password command PLAIN reader "cmd:cat $work/password"
check "a password from a command" records command
by_password variable PLAIN reader env:TAPEDECK_TEST_PASSWORD
export TAPEDECK_TEST_PASSWORD=right
check "a password from the environment" records variable

# --- what is wrong --------------------------------------------------------------------------------

by_password wrong PLAIN reader wrong
check "a wrong password" fails 5 wrong login "the user or the password is wrong"
by_password wrong-scram SCRAM-SHA-512 reader wrong
check "a wrong password, with SCRAM" fails 5 wrong-scram login "the user or the password is wrong"
by_password mechanism SCRAM-SHA-256 reader right
check "a mechanism that the broker has not" fails 5 mechanism login "Unsupported SASL mechanism"
by_password untrusted PLAIN reader right other-ca
check "a certificate of an unknown authority" fails 5 untrusted tls "not trusted"
tap expired "$expired" security.protocol=SSL "ssl.ca.location=$tls/good-ca.pem"
check "a certificate that has expired" fails 5 expired tls "has expired"
tap host "127.0.0.1:${login##*:}" security.protocol=SASL_SSL sasl.mechanism=PLAIN sasl.username=reader \
    sasl.password=right "ssl.ca.location=$tls/good-ca.pem"
check "a certificate for another name" fails 5 host tls "is for another"
tap certless "$mutual" security.protocol=SSL "ssl.ca.location=$tls/good-ca.pem"
check "no client certificate" fails 5 certless tls "wants a client certificate"
tap stranger "$mutual" security.protocol=SSL "ssl.ca.location=$tls/good-ca.pem" \
    "ssl.certificate.location=$tls/stranger.pem" "ssl.key.location=$tls/stranger.key"
check "a client certificate that is not trusted" fails_test 5 stranger tls "client certificate"
tap keyless "$mutual" security.protocol=SSL "ssl.ca.location=$tls/nowhere.pem"
check "a file of certificates that is not there" fails 3 keyless client "cannot be read"
tap plain "$login"
check "no TLS where it is wanted" fails 4 plain tls "TLS"
tap overdone "$address" security.protocol=SSL "ssl.ca.location=$tls/good-ca.pem"
check "TLS where there is none" fails 4 overdone tls "TLS"
by_password nobody PLAIN nobody right
check "no ACL at all" fails 5 nobody topic "topic '$topic'"
by_password half PLAIN half right
check "an ACL that lets see and not read" fails_test 5 half read "may not be read"
tap nowhere nowhere.invalid:9092
check "a name that does not resolve" fails 4 nowhere name "nowhere.invalid"

# --- one tap is refused, the other goes on, and the first is tried again --------------------------

by_password both PLAIN reader right
sed "s/tap.shop/tap.late/; s/= reader/= half/; s/username=reader/username=half/" "$work/right.conf" >>"$work/both.conf"
start both "$tapedeck" record --config "$work/both.conf" --tape "$work/tape-both"
recorder=$pid
check "the tap that may not read says so" \
    wait_until 10 "the state is shown" state_is both late retrying "does not let us read"
check "the other one records" wait_until 10 "it is live" state_is both shop live '"events":"500"'
check "it is allowed" "$build/client_kafka_acl" allow "$address" "$topic" User:half READ
check "and the tap records" wait_until 20 "it is live" state_is both late live '"events":"500"'
check "the recorder ends well" stop_gently "$recorder"

# --- a password that is changed, and a file that comes, while it is tried ---------------------------

watches() { # watches NAME TAP: the recorder with NAME.conf sees the group as that tap
    "$tapedeck" lag --config "$work/$1.conf" --tape "$work/tape-$1" --json >"$work/lag.json" || return
    cat "$work/lag.json"
    grep "\"tap\":\"$2\"" "$work/lag.json" | grep -q '"group":"billing"'
}

need "$client" commit "$address" billing "$topic" 0 10
need "$build/client_kafka_acl" allow-group "$address" billing User:reader DESCRIBE
echo wrong >"$work/changed"
by_password change PLAIN reader right
sed 's/tap.shop/tap.late/; s|sasl.password=right|sasl.password=file:'"$work/changed|" "$work/right.conf" >>"$work/change.conf"
sed "s/tap.shop/tap.sealed/; s|good-ca.pem|later-ca.pem|" "$work/right.conf" >>"$work/change.conf"
start change "$tapedeck" record --config "$work/change.conf" --tape "$work/tape-change"
recorder=$pid
check "a tap with a wrong password in a file says so" \
    wait_until 10 "the state is shown" state_is change late retrying "password is wrong"
check "and one without its file of certificates" \
    wait_until 10 "the state is shown" state_is change sealed retrying "cannot be read"
cp "$tls/good-ca.pem" "$tls/later-ca.pem"
echo right >"$work/changed"
check "and records once the right one is there" \
    wait_until 30 "it is live" state_is change late live '"events":"500"'
check "and the other one once its file is" \
    wait_until 30 "it is live" state_is change sealed live '"events":"500"'
check "consumer groups are watched with the new password" \
    wait_until 60 "the group is seen" watches change late
check "and with the file" wait_until 60 "the group is seen" watches change sealed
check "the recorder ends well" stop_gently "$recorder"

# --- one topic of a tap is refused, the others go on ----------------------------------------------

mixed() { # mixed NAME: a tap of both topics, of which one may be seen and not read
    by_password "$1" PLAIN half right
    sed -i "s|^url = .*|brokers = $login\ntopics = $topic, $1|" "$work/$1.conf"
}

goes_on_beside_a_refused_topic() { # goes_on_beside_a_refused_topic NAME: with NAME.conf
    need "$client" topic "$address" "$1" 3
    need "$producer" produce "$address" "$1" 0 300
    need "$build/client_kafka_acl" allow "$address" "$1" User:half DESCRIBE
    start "$1" "$tapedeck" record --no-lag --config "$work/$1.conf" --tape "$work/tape-$1"
    recorder=$pid
    before=$("$client" state "$address" | sed -n "s/^offsets $topic [0-9]* [0-9]* //p" | paste -sd+ | bc)
    check "$1: the topic that may not be read is named" \
        wait_until 20 "the state is shown" state_is "$1" shop retrying "does not let us read topic '$1'"
    check "$1: the other one is recorded" \
        wait_until 20 "its events are there" state_is "$1" shop retrying "\"events\":\"$before\""
    need "$producer" produce "$address" "$topic" 1000 100
    check "$1: and goes on" \
        wait_until 20 "more are there" state_is "$1" shop retrying "\"events\":\"$((before + 100))\""
    need "$build/client_kafka_acl" allow "$address" "$1" User:half READ
    check "$1: once it may be read, it is recorded too" \
        wait_until 30 "it is live" state_is "$1" shop live "\"events\":\"$((before + 400))\""
    check "$1: the recorder ends well" stop_gently "$recorder"
}

mixed secret
goes_on_beside_a_refused_topic secret
mixed hidden
printf 'mode = group\ngroup = recorders\n' >>"$work/hidden.conf"
check "hidden: a group that may not be joined" fails_test 5 hidden group "'recorders' may not be joined"
need "$build/client_kafka_acl" allow-group "$address" recorders User:half READ
goes_on_beside_a_refused_topic hidden
finish
