#!/bin/sh
# Brings a version of git that Debian has into a folder: HOLDALL_FOLDER=… debian-git.sh VERSION. Installs nothing, needs no root.
set -eu

version=$1
folder=$HOLDALL_FOLDER

# `deb`: as Debian has built it. `deb-src`: the authors' archive, built here, because the build needs later libraries than many
# systems have.
case $version in
2.30.2)
  suite=bullseye kind=deb package=git=1:2.30.2-1+deb11u2
  sum=ddc8eb5da311dbf0ecfe4bd4da5f539aeecec22865828538b5c86039af2eca8c
  ;;
2.47.3)
  suite=trixie kind=deb-src package=git
  sum=9c2eb1250781b3e5bfef098572d07fdf132d67e6c065e4307332ade9819a1501
  ;;
*)
  echo "no place is known from which git $version can be had" >&2
  exit 1
  ;;
esac

# Where this system has its own packages from, if it is a Debian.
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -m 1 '/debian/*$') || {
  echo "git $version comes from a mirror of Debian, and this system has none" >&2
  exit 1
}

work=$folder/apt
mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/files"
# What comes is told by its sum, so that no keys have to be there.
echo "$kind [trusted=yes] $mirror $suite main" > "$work/sources.list"
cd "$work/files"
apt() {
  apt-get -qq -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work" -o Acquire::Languages=none -o APT::Sandbox::User=root "$@"
}
apt update

check() {
  echo "$sum  $1" | sha256sum --check --quiet
}

if [ "$kind" = deb ]; then
  apt download "$package"
  check ./*.deb
  dpkg-deb --extract ./*.deb "$folder"
  mkdir "$folder/bin"
  # It looks for its parts where the system's git has its own.
  cat > "$folder/bin/git" <<'END'
#!/bin/sh
here=$(cd "$(dirname "$0")/.." && pwd)
export GIT_EXEC_PATH="$here/usr/lib/git-core" GIT_TEMPLATE_DIR="$here/usr/share/git-core/templates"
exec "$here/usr/bin/git" "$@"
END
  chmod +x "$folder/bin/git"
else
  apt source --download-only "$package"
  check ./*.orig.tar.xz
  tar -xf ./*.orig.tar.xz
  # Found wherever it is moved, without what would need more libraries than zlib.
  make -s -C "git-$version" -j2 prefix="$folder" RUNTIME_PREFIX=1 INSTALL_SYMLINKS=1 NO_CURL=1 NO_EXPAT=1 NO_GETTEXT=1 \
    NO_OPENSSL=1 NO_PERL=1 NO_PYTHON=1 NO_TCLTK=1 install
fi
rm -rf "$work"
