/* Linked into the static programs of the release archive, by packaging/release.
 *
 * glibc asks the modules that /etc/nsswitch.conf names, and loads them from the machine. In a static program that crashes if they belong to
 * another version of glibc: on Debian 13, a program that was linked on Debian 12 ended with SIGFPE at the first host name that is not in
 * /etc/hosts. The modules below are part of the static library. */
#include <nss.h>

__attribute__((constructor)) static void use_built_in_modules(void) {
    __nss_configure_lookup("hosts", "files dns");
    __nss_configure_lookup("passwd", "files");
}
