#!/usr/bin/env bash
# Two users pack the same commit in two directories, and get the same bytes. The archive has everything that the image copies, and the
# health check of the image notices whether its server responds. The packed programs are small stand-ins.
# shellcheck source=scripts/peers.sh
source "${0%/*}/../../scripts/peers.sh"
needs git tar

# Makes a repository of the tracked files, as they are now, in the directory $1.
repository() {
    mkdir -p "$1"
    git ls-files -z -- . ':!tests/mutations' ':!tests/corpus' | xargs -0 cp --parents --target-directory="$1"
    git -C "$1" init -q
    git -C "$1" add -A
    GIT_AUTHOR_DATE='2026-11-30T12:00:00Z' GIT_COMMITTER_DATE='2026-11-30T12:00:00Z' \
        git -C "$1" -c user.name=ci -c user.email=ci@example.org -c commit.gpgsign=false commit -q --message 'one'
}

# Packs the repository $1 into the directory $work/$2.
pack() {
    (cd "$work" && CARGO_NET_OFFLINE=true "$1/packaging/release" --programs programs --output "$2")
}

one=$work/one two="$work/another place/with a longer path"
mkdir "$work/programs"
for program in chinwagd chinwag; do
    printf '#!/bin/sh\necho packed %s\n' "$program" >"$work/programs/$program"
done
cd "${0%/*}/../.."
repository "$one"
repository "$two"

(umask 022 && TZ=UTC LC_ALL=C pack "$one" a >"$work/a.log")
find "$two" -exec touch -d 2020-01-01 {} +
(umask 077 && chmod -R go= "$two" && git -C "$two" config core.fileMode false && TZ=Asia/Tokyo LC_ALL=C.UTF-8 pack "$two" b >"$work/b.log")
cmp "$work"/a/*.tar.gz "$work"/b/*.tar.gz || fail 'the two archives differ'
cmp "$work/a/SHA256SUMS" "$work/b/SHA256SUMS"
(cd "$work/a" && sha256sum --check --quiet SHA256SUMS)

# Uncommitted changes are not packed by mistake.
echo >>"$one/README.md"
! pack "$one" changed 2>"$work/refused" || fail 'packed uncommitted changes'
[[ $(<"$work/refused") == *'uncommitted changes'* ]] || fail "$(<"$work/refused")"

# All members belong to root, and have the time of the commit.
same '2026-11-30 12:00 0/0' "$(TZ=UTC tar -tvf "$work"/a/*.tar.gz --numeric-owner | awk '{ print $4, $5, $2 }' | sort -u)"
mkdir "$work/archive"
tar -xzf "$work"/a/*.tar.gz --strip-components=1 --no-same-owner -C "$work/archive"
same 'packed chinwagd' "$("$work/archive/chinwagd")"
same 'packed chinwag' "$("$work/archive/chinwag")"
for library in 'rustls [0-9.]*: ' 'glibc$'; do
    grep -q "^==== $library" "$work/archive/LICENSES-OF-LIBRARIES" || fail "the licence is missing: $library"
done

# Everything that the image copies is in the archive.
containerfile=$work/archive/packaging/Containerfile
mapfile -t copied < <(sed -n 's/^COPY \(--[^ ]* \)*//p' "$containerfile" | awk '{ for (i = 1; i < NF; i++) print $i }')
((${#copied[@]} >= 4)) || fail "the image copies too little: ${copied[*]}"
for path in "${copied[@]}"; do
    [[ -e $work/archive/$path ]] || fail "$path is not in the archive"
done
[[ -d $work/archive/packaging/container/state/chinwag ]] || fail 'the directory of the store is missing'
user=$(sed -n 's/^USER //p' "$containerfile")
[[ $user == [1-9]*([0-9]):[1-9]*([0-9]) ]] || fail "the user of the image is $user"

# The health check of the image, with a server that has the image's options and variables, but other addresses and directories.
mapfile -t health < <(sed -n 's/^HEALTHCHECK .*CMD \[\(.*\)\]$/\1/p' "$containerfile" | tr -d ' "' | tr ',' '\n')
same '/usr/local/bin/chinwagd status' "${health[*]}"
grep -q '^ENV .*RUNTIME_DIRECTORY=/run/chinwag' "$containerfile" || fail 'the image has no directory for the control socket'
export RUNTIME_DIRECTORY=$work/state/run
mkdir -p "$RUNTIME_DIRECTORY"
check=("$(server_program)" "${health[@]:1}")
! "${check[@]}" 2>"$work/unhealthy" || fail 'the health check passes without a server'
serve --config "$work/archive/packaging/container/etc/chinwag/chinwagd.toml" --data "$work/chat.db"
"${check[@]}" >"$work/healthy"
grep -q '^listening ' "$work/healthy" || fail "$(<"$work/healthy")"
stop
! "${check[@]}" 2>>"$work/unhealthy" || fail 'the health check passes after the stop'
