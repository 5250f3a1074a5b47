#!/bin/sh
# Builds dist/hubmirror_VERSION_ARCHITECTURE.deb from the source distribution and from wheels of
# all that it needs. Wants Debian's debhelper, python3 and python3-venv, and .venv with `build`.
set -eu
cd "$(dirname "$0")/.."
debian_python=/usr/bin/python3 # not another one that comes first in PATH
PATH="/usr/sbin:/usr/bin:/sbin:/bin:$PATH"
SOURCE_DATE_EPOCH=$(date +%s -r CHANGELOG.md)
export SOURCE_DATE_EPOCH

sh packaging/dist.sh
sdist=$(ls dist/hubmirror-*.tar.gz)
version=${sdist#dist/hubmirror-}
version=${version%.tar.gz}

rm -rf build/deb
mkdir -p build/deb
tar -xzf "$sdist" -C build/deb
source=build/deb/hubmirror-$version
.venv/bin/pip --python "$debian_python" wheel --quiet --constraint packaging/constraints.txt \
    --wheel-dir "$source/wheels" dist/hubmirror-"$version"-*.whl

# debhelper wants its folder at the top, and a changelog, which has the version and the date.
cp -R packaging/debian "$source/debian"
cp etc/systemd/hubmirror.service etc/systemd/hubmirror.socket "$source/debian/"
cp etc/systemd/hubmirror-https.socket "$source/debian/hubmirror.hubmirror-https.socket"
.venv/bin/python -m hubmirror.cli.describing "$source/described"
date=$(date -R -d "@$SOURCE_DATE_EPOCH")
cat >"$source/debian/changelog" <<END
hubmirror ($version-1) unstable; urgency=medium

  * See changelog.gz beside this file.

 -- $(sed -n 's/^Maintainer: //p' packaging/debian/control)  $date
END
(cd "$source" && dpkg-buildpackage --build=binary --unsigned-changes --unsigned-buildinfo)
cp build/deb/hubmirror_*.deb dist/
ls dist/hubmirror_*.deb
