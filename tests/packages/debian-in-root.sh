#!/usr/bin/env bash
# Installs, upgrades, removes and purges the package of debian.sh, which runs this as root in a root directory of its own.
#
# tests/packages/debian-in-root.sh DIRECTORY   the packages are DIRECTORY/1.deb to DIRECTORY/4.deb
set -eu -o pipefail
packages=$1
[[ -e /run/chinwag-package-test ]] || { echo 'this changes the whole system: run tests/packages/debian.sh' >&2; exit 1; }
source "${0%/*}/../../scripts/peers.sh"

config=/etc/chinwag/chinwagd.toml
store=/var/lib/chinwag/chat.db

main() {
    prepare
    step 'install'
    apt install "$packages/1.deb"
    check_files
    check_server
    chat
    step 'upgrade, with options of the operator'
    upgrade_while_clients_talk
    step 'upgrade to a version that refuses the options'
    refuse_options
    step 'upgrade to a version with other options in its file'
    change_options_on_both_sides
    step 'remove, and install again'
    remove_and_install
    step 'purge, and install again'
    purge_and_install
    step 'purge messages on another file system'
    purge_elsewhere
}

step() {
    printf -- '-- %s\n' "$*"
}

# The files of the machine are below, and stay as they are.
prepare() {
    step 'systemd itself does not run here: tests/packages/systemctl starts the server as the unit says, without its sandbox'
    # Images for containers leave out man pages, and start no services. The index of the man pages would be made again at each step.
    rm -rf /etc/dpkg/dpkg.cfg.d /usr/sbin/policy-rc.d /var/lib/man-db/auto-update /var/lib/apt/lists/*
    dpkg --purge chinwag 2>/dev/null
    leftovers | xargs -r rm -rf
    ! getent passwd chinwag >/dev/null || userdel chinwag
    mv /usr/bin/systemctl{,.real}
    install -m 755 "${0%/*}/systemctl" /usr/bin/systemctl
    mkdir -p /run/systemd/system
    ip link set lo up
}

# Everything about chinwag on the system, but what man has formatted.
leftovers() {
    find /etc /usr /var /run -xdev -name '*chinwag*' -not -path /run/chinwag-package-test -not -path '/var/cache/man/*'
}

# Installs, removes or purges. Sets $output.
apt() {
    local command=$1
    shift
    output=$(DEBIAN_FRONTEND=noninteractive apt-get "$command" -y -o APT::Sandbox::User=root "$@" </dev/null 2>&1) \
        || fail "apt-get $command $*: $output"
}

check_files() {
    same '' "$(dpkg --verify chinwag)"
    same "$config" "$(dpkg-query -W -f '${Conffiles}' chinwag | sed -n 's/^ \([^ ]*\) .*/\1/p')"
    same '/var/lib/chinwag /usr/sbin/nologin' "$(getent passwd chinwag | cut -d : -f 6,7 | tr : ' ')"
    (($(id -u chinwag) < 1000)) || fail "$(id chinwag)"
    same chinwag "$(id -nG chinwag)"
    same 'L' "$(passwd -S chinwag | cut -d ' ' -f 2)"
    modes "755 root root /usr/bin/chinwag" "755 root root /usr/bin/chinwagd" "644 root root $config" \
        '700 chinwag chinwag /var/lib/chinwag' "600 chinwag chinwag $store" "600 chinwag chinwag /run/chinwag/control.sock"
    same enabled "$(systemctl is-enabled chinwag.service 2>&1)"
    systemd-analyze verify chinwag.service || fail 'the unit has errors'
    for page in 1:chinwag 7:chinwag-protocol 8:chinwagd; do
        gunzip -t "/usr/share/man/man${page%:*}/${page#*:}.${page%:*}.gz"
    done
    for program in chinwag chinwagd; do
        bash -c ". /usr/share/bash-completion/completions/$program && complete -p $program" >/dev/null
        [[ -s /usr/share/zsh/vendor-completions/_$program && -s /usr/share/fish/vendor_completions.d/$program.fish ]]
    done
    same "$(dpkg-query -W -f '${Version}' chinwag)" "$(gunzip -c /usr/share/doc/chinwag/changelog.Debian.gz | dpkg-parsechangelog -l - -S Version)"
    grep -q '^==== rustls [0-9.]*: ' /usr/share/doc/chinwag/LICENSES-OF-LIBRARIES
    grep -q '^Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/' /usr/share/doc/chinwag/copyright
}

# Each: mode, owner, group and path.
modes() {
    local expected
    for expected; do
        same "$expected" "$(stat -c '%a %U %G %n' "${expected##* }")"
    done
}

check_server() {
    same 'chinwag chinwag' "$(stat -c '%U %G' "/proc/$(main_process)")"
    same /usr/bin/chinwagd "$(readlink "/proc/$(main_process)/exe")"
    # Every socket of the machine is in this network namespace.
    same '127.0.0.1:8080 127.0.0.1:9999' "$(ss -Hltn | awk '{print $4}' | sort | paste -sd ' ')"
    runuser -u chinwag -- chinwagd --check --config "$config" >/dev/null 2>&1
    chinwagd status >/dev/null
    curl -sSf http://127.0.0.1:8080/healthz >/dev/null
    ! grep -E ' (WARN|ERROR) ' "$log" || fail 'the server has logged warnings'
}

log=/run/systemctl/log

main_process() {
    cat /run/systemctl/pid
}

# The exit codes of all servers that have ended.
exits() {
    paste -sd ' ' /run/systemctl/exits
}

chat() {
    join alice nc.openbsd -N 127.0.0.1 9999
    join bob nc.openbsd -N 127.0.0.1 9999
    hear alice 'JOIN bob'
    say bob 'MSG hello'
    hear bob 'OK MSG 1'
    hear alice 'MSG bob hello'
}

# The clients of the old server are disconnected with a notice. Those of the new one read on after the last message.
upgrade_while_clients_talk() {
    local old
    old=$(main_process)
    sed -i 's/^max-clients = 2000$/max-clients = 1234/' "$config"
    apt install "$packages/2.deb"
    for peer in alice bob; do
        hear "$peer" 'NOTICE the server is shutting down'
        finish "$peer"
    done
    same 0 "$(exits)"
    [[ $(main_process) != "$old" ]] || fail 'the server was not restarted'
    same /usr/bin/chinwagd "$(readlink "/proc/$(main_process)/exe")"
    grep -q '^max-clients = 1234$' "$config" || fail 'the file of the operator was replaced'
    chinwagd status | grep -q 1234 || fail "$(chinwagd status)"
    reads_history carol 'hello'
}

# A new client reads these messages.
reads_history() {
    local peer=$1 text id=0
    shift
    join "$peer" nc.openbsd -N 127.0.0.1 9999
    say "$peer" 'SINCE 0'
    for text; do
        : $((id += 1))
        hear "$peer" "PAST $id * $text"
    done
    hear "$peer" 'OK SINCE*'
    finish "$peer"
}

# The old server goes on, so that nobody has to repair it at once. The rest of the installation is done.
refuse_options() {
    local old enabled=/var/lib/systemd/deb-systemd-helper-enabled/chinwag.service.dsh-also
    rm "$enabled"
    old=$(main_process)
    sed -i 's/^max-clients = 1234$/max-client = 1234/' "$config"
    apt install "$packages/3.deb"
    [[ -e $enabled ]] || fail 'the unit was not enabled'
    [[ $output == *'unknown key "max-client"'*"refuses the options in $config, so the old server goes on running"* ]] || fail "$output"
    same "$old" "$(main_process)"
    # As dpkg calls it when a later upgrade fails.
    output=$(/var/lib/dpkg/info/chinwag.postinst abort-upgrade 9 2>&1)
    [[ $output == *"refuses the options in $config"* ]] || fail "$output"
    same "$old" "$(main_process)"
    reads_history dave 'hello'
    sed -i 's/^max-client = 1234$/max-clients = 1234/' "$config"
    systemctl restart chinwag.service
    [[ $(main_process) != "$old" ]] || fail 'the server was not restarted'
    reads_history erin 'hello'
}

# dpkg asks; this answer is the default.
change_options_on_both_sides() {
    apt install -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$packages/4.deb"
    grep -q '^max-clients = 1234$' "$config" || fail 'the file of the operator was replaced'
    grep -q '^keep = "60d"$' "$config.dpkg-dist" || fail 'the new file is not beside it'
    chinwagd status | grep -q 1234 || fail "$(chinwagd status)"
    same '0 0 0' "$(exits)"
}

# The operator's options and the messages stay.
remove_and_install() {
    # With socket activation, the next client would start the server again.
    systemctl start chinwag.socket chinwag-web.socket
    apt remove chinwag
    ! systemctl is-active chinwag.service || fail 'the server still runs'
    same '0 0 0 0' "$(exits)"
    [[ ! -e /usr/bin/chinwagd && ! -e /usr/bin/chinwag && ! -e /run/chinwag ]] || fail 'files are left'
    modes "644 root root $config" "600 chinwag chinwag $store"
    ! systemctl start chinwag.service 2>/dev/null || fail 'the service of a removed package starts'
    apt install "$packages/4.deb"
    chinwagd status | grep -q 1234 || fail "$(chinwagd status)"
    reads_history frank 'hello'
}

# Nothing is left but the user. A new installation starts afresh.
purge_and_install() {
    apt purge chinwag
    same '0 0 0 0 0' "$(exits)"
    same '' "$(leftovers)"
    getent passwd chinwag >/dev/null || fail 'the user was deleted; files of others may belong to its number'
    apt install "$packages/1.deb"
    check_files
    check_server
    reads_history grace
}

# Behind a symlink, and in a mount point, which stays.
purge_elsewhere() {
    apt purge chinwag
    install -d /srv/messages
    ln -s /srv/messages /var/lib/chinwag
    apt install "$packages/1.deb"
    [[ -s /srv/messages/chat.db ]] || fail 'the messages are elsewhere'
    apt purge chinwag
    same '' "$(ls -A /srv/messages)"
    same '' "$(leftovers)"
    mkdir /var/lib/chinwag
    mount -t tmpfs tmpfs /var/lib/chinwag
    apt install "$packages/1.deb"
    [[ -s $store ]] || fail 'the messages are elsewhere'
    apt purge chinwag
    mountpoint -q /var/lib/chinwag
    same '' "$(ls -A /var/lib/chinwag)"
    umount /var/lib/chinwag
}

main
