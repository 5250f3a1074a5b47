#!/bin/sh
# Makes programs present. Each argument is PROGRAM=PACKAGE, a Debian package that is wanted where
# the program is missing, or PACKAGE alone, which is wanted in any case.
set -eu
PATH="/usr/sbin:/usr/bin:/sbin:/bin:$PATH"

packages=
for argument; do
    command -v "${argument%%=*}" >/dev/null || packages="$packages ${argument#*=}"
done
[ -n "$packages" ] || exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "missing (by the names of their Debian packages):$packages" >&2
    echo "to install: sudo apt-get install --no-install-recommends$packages" >&2
    exit 1
fi

# The packages bring services, which would start and take ports: nothing here needs them running.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # a list of words
apt-get install -y -qq --no-install-recommends $packages
