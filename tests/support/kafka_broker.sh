#!/bin/bash
# kafka_broker.sh - a throw-away Apache Kafka (KRaft, no ZooKeeper) on loopback, for tests and benches.
#
#   kafka_broker.sh fetch                        get the jars with Maven, once
#   kafka_broker.sh start DIR [OPTION]...        start, wait until it answers, print the bootstrap address
#       --nodes N      nodes, each broker and controller (1)
#       --set K=V      one more line for server.properties; may be repeated
#       --listener N:P one more listener N, on localhost, of the security protocol P; may be repeated
#       --scram USER=PASSWORD   a user for SCRAM-SHA-512; may be repeated
#       --owner PID    the nodes end by themselves when this process is gone
#       --log-requests one line of NODE.log for each request that a client sends
#   kafka_broker.sh address DIR [N]              print the bootstrap address again, or that of listener N
#   kafka_broker.sh status DIR                   one line per node; exit 0 only when all run
#   kafka_broker.sh kill DIR NODE                kill -9 one node
#   kafka_broker.sh restart DIR NODE             bring it back on its port and its data
#   kafka_broker.sh topic DIR NAME PARTITIONS [K=V]...   create a topic, through $CLIENT_KAFKA
#   kafka_broker.sh stop DIR                     end every node
#   kafka_broker.sh classes FILE                 make FILE, for KAFKA_CLASSES, by a node that is started for it
#
# Everything a cluster has is in DIR: NODE.properties, NODE.log (of the present start), NODE.log.old,
# NODE.pid, data-NODE/. A process is only
# signalled when its command line names this directory's properties file, so that a number that was
# given to another process meanwhile is never hit.
#
# Environment: TAPEDECK_CACHE (where the jars are kept), KAFKA_VERSION, KAFKA_JVM (JVM options: the
# default nearly halves the start; empty gives what a server has, faster once warm), KAFKA_CLASSES (an archive of
# the classes that a node loads: once it is there, a start takes 3 s of processor time instead of 5).
set -u

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version=${KAFKA_VERSION:-4.4.0}
jars=${TAPEDECK_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tapedeck}/kafka-$version
jvm_options=${KAFKA_JVM-"-Xms64m -Xmx1g -XX:+UseSerialGC -XX:TieredStopAtLevel=1"}
start_seconds=90
classes=() # options of the JVM: where a node, and what formats its storage, take classes from
[ ! -e "${KAFKA_CLASSES:-}" ] || classes=("-XX:SharedArchiveFile=$KAFKA_CLASSES")
keep_classes=() # where a node leaves them when it ends
cluster_id=tapedeck-test-cluster0 # any 22 characters of base64url, the same on every node

fail() {
    echo "kafka_broker: $*" >&2
    exit 1
}

usage() {
    sed -n '3,18s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
}

# --- jars -----------------------------------------------------------------------------------------

fetch() {
    [ -d "$jars" ] && return
    command -v java >/dev/null || fail "java is not installed"
    command -v mvn >/dev/null || fail "mvn is not installed, and there is no $jars"
    mkdir -p "$(dirname "$jars")" || fail "cannot use the cache $(dirname "$jars")"

    # Into a directory of our own first: a copy that was cut off, or another one running at the same
    # time, must not leave half a class path behind.
    local part
    part=$(mktemp -d "$jars.XXXXXX") || fail "cannot write next to $jars"
    # -U: a failure that Maven remembers from an earlier time is no reason not to ask again.
    if ! mvn -q -B -U -f "$here/maven/pom.xml" -Dkafka.version="$version" \
        dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$part" </dev/null >&2; then
        rm -rf "$part"
        fail "Maven could not fetch Kafka $version (is Maven Central reachable?)"
    fi
    mv -T "$part" "$jars" 2>/dev/null || rm -rf "$part"
    [ -d "$jars" ] || fail "cannot make $jars"
}

# --- one node -------------------------------------------------------------------------------------

node_pid() { # node_pid NODE: its pid, when it runs
    local pid
    pid=$(cat "$dir/$1.pid" 2>/dev/null) || return 1
    tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qxF "$dir/$1.properties" && echo "$pid"
} 2>/dev/null

node_runs() {
    [ -n "$(node_pid "$1")" ]
}

node_port() {
    sed -n 's|^advertised.listeners=PLAINTEXT://127.0.0.1:\([0-9]*\).*|\1|p' "$dir/$1.properties"
}

# True when an ApiVersions request (version 0, no client id) is answered: connecting is not enough, a
# broker that is still starting accepts connections.
answers() { # answers PORT
    local length
    exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
    printf '\0\0\0\12\0\22\0\0\0\0\0\1\377\377' >&3
    length=$(timeout 2 head -c 4 <&3 | wc -c)
    exec 3>&-
    [ "$length" = 4 ]
} 2>/dev/null

launch() { # launch NODE
    local owner pid requests=info
    [ -e "$dir/log-requests" ] && requests=debug
    : >"$dir/$1.log"
    # shellcheck disable=SC2086 # options, not one word
    setsid java $jvm_options "${classes[@]}" "${keep_classes[@]}" -Djava.awt.headless=true \
        -Dorg.slf4j.simpleLogger.defaultLogLevel=info \
        -Dorg.slf4j.simpleLogger.log.kafka.request.logger=$requests \
        -Dorg.slf4j.simpleLogger.showDateTime=true \
        -Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS \
        -cp "$jars/*" kafka.Kafka "$dir/$1.properties" </dev/null >>"$dir/$1.log" 2>&1 &
    pid=$!
    echo "$pid" >"$dir/$1.pid"

    owner=$(cat "$dir/owner" 2>/dev/null) || return 0
    (
        while [ -d "/proc/$owner" ] && [ -d "/proc/$pid" ]; do
            sleep 1
        done
        [ "$(node_pid "$1")" = "$pid" ] && kill -9 "$pid"
    ) </dev/null >/dev/null 2>&1 &
}

await() { # await NODE: until it has started and answers
    local deadline=$((SECONDS + start_seconds)) log=$dir/$1.log
    until grep -q 'Kafka Server started' "$log" && answers "$(node_port "$1")"; do
        # Between fork and exec its command line is still ours, so node_runs() would not know it.
        if [ ! -d "/proc/$(cat "$dir/$1.pid")" ]; then
            tail -n 20 "$log" >&2
            fail "node $1 ended while it was starting"
        fi
        if [ "$SECONDS" -ge "$deadline" ]; then
            tail -n 20 "$log" >&2
            fail "node $1 does not answer after $start_seconds s"
        fi
        sleep 0.05
    done
}

# --- a cluster ------------------------------------------------------------------------------------

nodes() {
    local file
    for file in "$dir"/*.properties; do
        [ -e "$file" ] && basename "$file" .properties
    done
}

# Below the kernel's ephemeral range: a client's outgoing port cannot take it between now and the
# broker's bind.
free_port() {
    local port
    while :; do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 10000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

write_properties() { # write_properties NODE PORT CONTROLLER-PORT VOTERS
    local replicas=$((node_count < 3 ? node_count : 3))
    local in_sync=$((replicas > 2 ? 2 : 1))
    local listener more='' map=''
    for listener in "${listeners[@]}"; do
        more+=,${listener%%:*}://localhost:$(free_port)
        map+=,$listener
    done
    cat >"$dir/$1.properties" <<PROPERTIES
process.roles=broker,controller
node.id=$1
controller.quorum.voters=$4
listeners=PLAINTEXT://127.0.0.1:$2,CONTROLLER://127.0.0.1:$3$more
advertised.listeners=PLAINTEXT://127.0.0.1:$2$more
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT$map
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=$dir/data-$1
auto.create.topics.enable=false
num.partitions=6
default.replication.factor=$replicas
min.insync.replicas=$in_sync
num.network.threads=2
num.io.threads=4
# Events with old timestamps must stay.
log.retention.ms=-1
# The internal topics: small and at once.
offsets.topic.num.partitions=3
offsets.topic.replication.factor=$replicas
transaction.state.log.num.partitions=3
transaction.state.log.replication.factor=$replicas
transaction.state.log.min.isr=$in_sync
share.coordinator.state.topic.num.partitions=3
share.coordinator.state.topic.replication.factor=$replicas
share.coordinator.state.topic.min.isr=$in_sync
group.initial.rebalance.delay.ms=0
# What happens in minutes on a server happens within a test here.
log.cleaner.dedupe.buffer.size=16777216
log.cleaner.backoff.ms=500
log.initial.task.delay.ms=500
log.retention.check.interval.ms=1000
log.segment.delete.delay.ms=1000
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
PROPERTIES
    [ ${#extra[@]} -eq 0 ] || printf '%s\n' "${extra[@]}" >>"$dir/$1.properties"
}

new_cluster() {
    local node port controller user voters='' addresses='' plan=() users=()
    for user in "${scram[@]}"; do
        users+=(--add-scram "SCRAM-SHA-512=[name=${user%%=*},password=${user#*=}]")
    done
    for ((node = 1; node <= node_count; node++)); do
        port=$(free_port)
        controller=$(free_port)
        plan+=("$node $port $controller")
        voters+=${voters:+,}$node@127.0.0.1:$controller
        addresses+=${addresses:+,}127.0.0.1:$port
    done
    for line in "${plan[@]}"; do
        read -r node port controller <<<"$line"
        write_properties "$node" "$port" "$controller" "$voters"
        java -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "${classes[@]}" \
            -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp "$jars/*" \
            kafka.tools.StorageTool format -t "$cluster_id" -c "$dir/$node.properties" "${users[@]}" \
            </dev/null >"$dir/format-$node.log" 2>&1 || {
            cat "$dir/format-$node.log" >&2
            fail "cannot format the storage of node $node"
        }
    done
    echo "$addresses" >"$dir/address"
}

bring_up() { # bring_up NODE
    node_runs "$1" && return
    [ -f "$dir/$1.log" ] && cat "$dir/$1.log" >>"$dir/$1.log.old"
    launch "$1"
}

start() {
    node_count=1
    extra=()
    listeners=()
    scram=()
    local owner='' log_requests=''
    while [ $# -gt 0 ]; do
        case $1 in
        --log-requests)
            log_requests=yes
            shift
            continue
            ;;
        --nodes) node_count=${2:-} ;;
        --set) extra+=("${2:-}") ;;
        --listener) listeners+=("${2:-}") ;;
        --scram) scram+=("${2:-}") ;;
        --owner) owner=${2:-} ;;
        *) usage ;;
        esac
        [ $# -ge 2 ] || usage
        shift 2
    done

    fetch
    mkdir -p "$dir" && dir=$(cd "$dir" && pwd) || fail "cannot use $dir"
    [ -z "$owner" ] || echo "$owner" >"$dir/owner"
    [ -z "$log_requests" ] || : >"$dir/log-requests"
    [ -f "$dir/address" ] || new_cluster
    local node
    for node in $(nodes); do bring_up "$node"; done
    for node in $(nodes); do await "$node"; done
    cat "$dir/address"
}

listener_address() { # listener_address NAME: of all nodes
    local node
    for node in $(nodes); do
        sed -n "s|^advertised.listeners=.*,$1://\([^,]*\).*|\1|p" "$dir/$node.properties"
    done | paste -sd, | grep .
}

stop() {
    local node pid deadline=$((SECONDS + 15))
    for node in $(nodes); do
        pid=$(node_pid "$node") && kill "$pid"
    done
    for node in $(nodes); do
        while node_runs "$node" && [ "$SECONDS" -lt "$deadline" ]; do
            sleep 0.05
        done
        pid=$(node_pid "$node") && kill -9 "$pid"
        rm -f "$dir/$node.pid"
    done
    return 0
}

make_classes() { # make_classes FILE
    local file=$1 pid deadline
    dir=$file.node
    trap stop EXIT
    trap 'exit 143' TERM
    keep_classes=("-XX:ArchiveClassesAtExit=$file.part")
    start --owner $$ >/dev/null
    pid=$(node_pid 1) && kill "$pid" || fail "the node ended"
    deadline=$((SECONDS + start_seconds))
    while node_runs 1; do
        [ "$SECONDS" -lt "$deadline" ] || fail "the node does not end after $start_seconds s"
        sleep 0.05
    done
    rm -rf "$dir"
    mv "$file.part" "$file"
}

status() {
    local node code=0
    for node in $(nodes); do
        if node_runs "$node"; then
            echo "node $node runs, pid $(node_pid "$node"), port $(node_port "$node")"
        else
            echo "node $node does not run"
            code=1
        fi
    done
    return $code
}

need_node() { # need_node NODE
    [ -n "${1:-}" ] || usage
    [ -f "$dir/$1.properties" ] || fail "there is no node '$1' in $dir"
}

[ $# -ge 1 ] || usage
command=$1
[ "$command" = fetch ] || [ $# -ge 2 ] || usage
dir=${2:-}
[[ $command == @(fetch|start|classes) || -f $dir/address ]] || fail "no cluster in '$dir'"
[ -d "$dir" ] && dir=$(cd "$dir" && pwd)
case $command in
fetch) fetch ;;
start) start "${@:3}" ;;
stop) stop ;;
address)
    if [ -n "${3:-}" ]; then listener_address "$3"; else cat "$dir/address"; fi
    ;;
classes) make_classes "$dir" ;;
status) status ;;
kill)
    need_node "${3:-}"
    pid=$(node_pid "$3") || fail "node $3 does not run"
    kill -9 "$pid"
    rm -f "$dir/$3.pid"
    ;;
restart)
    need_node "${3:-}"
    bring_up "$3"
    await "$3"
    ;;
topic)
    [ $# -ge 4 ] || usage
    "${CLIENT_KAFKA:?names the program client_kafka}" topic "$(cat "$dir/address")" "${@:3}"
    ;;
*) usage ;;
esac
