#!/bin/sh
# The jars of a real Apache Kafka broker, fetched from Maven Central once; prints their folder.
#   fetch.sh [VERSION]      default: KAFKA_VERSION, else the newest that the tests know.
#                           KAFKA_LIBS overrides: a folder that has the jars already.
# Java or Maven missing: installed by apt as root, else said. Messages go to stderr.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
version=${1:-${KAFKA_VERSION:-4.4.0}}
cache=${TIDEGATE_CACHE:-$HOME/.cache/tidegate}

fail() { echo "tests/kafka/fetch.sh: $*" >&2; exit 1; }

# need COMMAND PACKAGE: the command is there, or can be installed.
need() {
    command -v "$1" >/dev/null 2>&1 && return
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1 \
        || fail "'$1' is missing; the tests run a real Kafka broker: install Java 17 or later and Maven (on Debian: apt-get install $2)"
    echo "installing $2" >&2
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2"; } >&2 \
        || fail "apt-get could not install $2"
}

need java openjdk-17-jre-headless
if [ -n "${KAFKA_LIBS:-}" ]; then
    ls "$KAFKA_LIBS"/kafka_*.jar >/dev/null 2>&1 || fail "KAFKA_LIBS=$KAFKA_LIBS holds no kafka_*.jar"
    echo "$KAFKA_LIBS"
    exit
fi

# A change of the POM is another folder: nothing stale is ever used.
libs=$cache/kafka-$version-$(sha256sum "$here/pom.xml" | cut -c1-8)
if [ ! -d "$libs" ]; then
    need mvn maven
    echo "fetching Apache Kafka $version into $libs" >&2
    mkdir -p "$cache"
    part=$(mktemp -d "$libs.part.XXXXXX")
    trap 'rm -rf "$part"' EXIT
    case $version in
        3.*) logging=log4j1 ;;
        *) logging=log4j2 ;;
    esac
    # A registry may answer too late once: Maven keeps what it has, so a second try goes on from there.
    tries=0
    until mvn -B -q -ntp -Dstyle.color=never -f "$here/pom.xml" -P"$logging" -Dkafka.version="$version" \
        org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$part" >&2; do
        tries=$((tries + 1))
        [ "$tries" -lt 3 ] || fail "Maven could not fetch Apache Kafka $version"
    done
    chmod 755 "$part"
    # Whole or not at all; another process may have been faster.
    mv -T "$part" "$libs" 2>/dev/null || [ -d "$libs" ] || fail "cannot create $libs"
fi
echo "$libs"
