#!/usr/bin/env bash
# Makes the Debian package of the programs in target/debug, checks it with lintian, and installs, upgrades, removes and purges it.
#
# It changes nothing outside target: apt and dpkg run in a copy-on-write view of this system, in namespaces of their own, without network.
# That needs root, or sudo without a password. Prints why it is skipped, with status 77; with CI=true, that is an error.
set -eu -o pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

target=$(realpath "${CARGO_TARGET_DIR:-target}")
# cargo-deb looks for programs of the profile `release` here.
stage=$target/package
in_namespaces=(unshare --mount --pid --fork --kill-child --net --ipc --uts --mount-proc)

main() {
    case ${1-} in
        '') ;;
        --in-namespace)
            # With another number, it is not the first process in namespaces of its own, and would mount on the host.
            (($$ == 1)) || { echo 'tests/packages/debian.sh: --in-namespace is only for the script itself' >&2; exit 2; }
            enter_root
            return
            ;;
        *) sed -n '2,/^set /s/^# \?//p' "$0" >&2; exit 2 ;;
    esac
    check_machine
    build
    lint &
    local linting=$! status=0
    "${as_root[@]}" env CI="${CI-}" CARGO_TARGET_DIR="$target" "${in_namespaces[@]}" "$PWD/tests/packages/debian.sh" --in-namespace \
        || status=$?
    wait "$linting" || status=1
    ((status != 77)) || exit 77
    # As `cargo test` says it.
    ((status == 0)) || { echo 'test result: FAILED. 0 passed; 1 failed'; exit 1; }
    echo 'test result: ok. 1 passed; 0 failed'
}

check_machine() {
    local program
    as_root=()
    for program in apt-get cargo-deb curl dpkg-shlibdeps ip lintian nc.openbsd setpriv ss systemd-analyze unshare; do
        type -P "$program" >/dev/null || skip "$program is not installed"
    done
    if ((EUID != 0)); then
        sudo -n true 2>/dev/null || skip 'not root, and sudo asks for a password'
        as_root=(sudo -n)
    fi
    "${as_root[@]}" "${in_namespaces[@]}" true 2>/dev/null || skip 'unshare has no right to create namespaces'
    # The view has one file system.
    same_device / /usr /etc /var/lib/dpkg || skip '/usr, /etc or /var/lib/dpkg is on another file system than /'
}

same_device() {
    (($(stat -c %d "$@" | sort -u | wc -l) == 1))
}

skip() {
    echo "tests/packages/debian.sh: skipped: $*"
    [[ ${CI-} != true ]] || exit 1
    exit 77
}

# Makes one package with cargo-deb, and the versions to upgrade to from its files.
build() {
    rm -rf --one-file-system "$stage"
    mkdir -p "$stage/release" "$stage/packages"
    cp --link "$target"/debug/chinwag{,d} "$stage/release"
    packaging/licences >"$stage/release/LICENSES-OF-LIBRARIES"
    CARGO_TARGET_DIR=$stage cargo deb --no-build --locked --fast --quiet --output "$stage/packages/1.deb" >/dev/null
    dpkg-deb --raw-extract "$stage/packages/1.deb" "$stage/files"
    repack 2
    repack 3
    sed -i 's/^keep = "30d"$/keep = "60d"/' "$stage/files/etc/chinwag/chinwagd.toml"
    repack 4
}

# Makes the package NUMBER, with a version after those of lower numbers.
repack() {
    sed -i -E "s/^(Version: [^+]*).*/\1+$1/" "$stage/files/DEBIAN/control"
    dpkg-deb --root-owner-group -Znone --build "$stage/files" "$stage/packages/$1.deb" >/dev/null
}

# Fails on errors and warnings, except for those in lintian-overrides, which has the reasons. The check of the spelling in programs is off:
# it takes a quarter of the time, and can only give hints.
lint() {
    sed 's/^/lintian-overrides: /' packaging/debian/lintian-overrides
    lintian --allow-root --tag-display-limit 0 -X binaries/spelling --fail-on error,warning "$stage/packages/1.deb"
}

# Here, all mounts are private, and end with the last process.
enter_root() {
    local root=$stage/root directory
    mkdir -p "$root"
    mount -t tmpfs tmpfs "$root"
    mkdir "$root"/{upper,work,merged}
    mount -t overlay overlay -o "lowerdir=/,upperdir=$root/upper,workdir=$root/work" "$root/merged" || skip 'cannot mount an overlay of /'
    cd "$root/merged"
    for directory in tmp run; do mount -t tmpfs tmpfs "$directory"; done
    mount -t proc proc proc
    for directory in dev sys; do mount --rbind "/$directory" "$directory"; done
    mkdir -p run/repository run/packages
    mount --bind "$OLDPWD" run/repository
    mount --bind "$stage/packages" run/packages
    touch run/chinwag-package-test
    chroot . /run/repository/tests/packages/debian-in-root.sh /run/packages
}

main "$@"
