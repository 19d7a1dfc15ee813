#!/bin/sh
# Boots Debian's older kernels in qemu, with a Debian that has agentbox, and tries the native engine there as a
# user who has logged in: Landlock as those kernels have it, and the bounds that a real service manager holds.
#
# For contributors: root on a Debian 12 or 13 (amd64), its packages, and the registries that `agentbox run pi` asks. The
# guest has no network. qemu computes every instruction, as CI machines rarely have KVM: minutes for each kernel.
#
#   tools/old-kernel.sh                  all kernels below
#   tools/old-kernel.sh bookworm ...     the kernels of these suites of Debian
#
#   WORK    where the image and the kernels are kept   (/var/tmp/agentbox-old-kernel); remove it to make them anew
#   MIRROR  a Debian mirror                            (http://deb.debian.org/debian)
#   CHECKS  the checks of tools/old-kernel-guest.sh    (all; names with commas between)
#   ACCEL   what qemu computes with                    (tcg,thread=multi; kvm where that works)
set -eu
cd "$(dirname "$0")/.."

# Landlock:  none     ABI 2    ABI 6
SUITES="bullseye bookworm trixie"
WORK=${WORK:-/var/tmp/agentbox-old-kernel}
MIRROR=${MIRROR:-http://deb.debian.org/debian}
CHECKS=${CHECKS:-}
ROOT=$WORK/root
IMAGE=$WORK/image.ext4
# The user's session: a real login, so that a real manager of the user's services runs.
PACKAGES=systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,login,python3,python3-dev,python3-venv,gcc,libc6-dev
PACKAGES=$PACKAGES,make,git,bubblewrap,libseccomp2,procps,ca-certificates,busybox-static,kmod,xz-utils
DRIVERS="virtio_pci virtio_blk ext4"

say() { printf 'old-kernel: %s\n' "$*"; }
quietly() { "$@" >"$WORK/log" 2>&1 </dev/null || { tail -n 20 "$WORK/log" >&2; return 1; }; }
inside() { chroot "$ROOT" "$@"; }
# shellcheck disable=SC2317 # called by quietly
as_user() {
    inside setpriv --reuid 1000 --regid 1000 --clear-groups env -i HOME=/home/tester USER=tester LANG=C.UTF-8 \
        PATH=/home/tester/venv/bin:/usr/bin:/bin SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
        PIP_CERT=/etc/ssl/certs/ca-certificates.crt AGENTBOX_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt "$@"
}

# --- the root file system -----------------------------------------------------------------------------------------

make_root() {
    if [ -e "$ROOT/.made" ]; then return; fi
    say "debootstrap"
    rm -rf "$ROOT"
    quietly debootstrap --variant=minbase --include="$PACKAGES" trixie "$ROOT" "$MIRROR"
    inside useradd --create-home --shell /bin/bash --uid 1000 tester
    echo 'root:x' | inside chpasswd
    touch "$ROOT/.made"
}

# What the working tree has now, installed as a user does, with pi and the broker: the guest reaches no registry.
put_agentbox() {
    say "agentbox and pi"
    tree=$ROOT/home/tester/agentbox
    mkdir -p "$tree"
    git ls-files -z | tar c --null --ignore-failed-read -T - | tar x -C "$tree"
    inside chown -R tester:tester /home/tester
    cat "${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}" >"$ROOT/etc/ssl/certs/ca-certificates.crt"
    cp /etc/resolv.conf /etc/hosts "$ROOT/etc/"
    mount -t proc proc "$ROOT/proc"
    mount -t tmpfs -o mode=1777 shm "$ROOT/dev/shm"
    trap 'umount "$ROOT/proc" "$ROOT/dev/shm"' EXIT
    quietly as_user sh -ec '
        [ -e ~/venv ] || python3 -m venv ~/venv
        cd ~/agentbox && ~/venv/bin/pip install --quiet --editable ".[test]"
        mkdir -p ~/project && cd ~/project && git init --quiet
        agentbox run pi --engine native -- --version'
    install -m 644 tools/old-kernel.service "$ROOT/etc/systemd/system/"
    quietly inside systemctl enable old-kernel.service
    quietly inside systemctl mask getty.target
    umount "$ROOT/proc" "$ROOT/dev/shm"
    trap - EXIT
    rm -f "$IMAGE"
    quietly mkfs.ext4 -q -d "$ROOT" "$IMAGE" 6G
}

# --- a kernel -----------------------------------------------------------------------------------------------------

# The newest one of a suite, checked by apt. Since Linux 7 Debian has drivers in packages of their own: not here.
get_kernel() {
    kernel=$ROOT/kernels/$1
    if [ -e "$kernel/vmlinuz" ]; then return; fi
    say "the kernel of $1"
    rm -rf "$kernel"
    mkdir -p "$kernel/lists/partial" "$kernel/cache/archives/partial"
    echo "deb $MIRROR $1 main" >"$kernel/sources.list"
    set -- "/kernels/$1"
    set -- -o "Dir::Etc::SourceList=$1/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$1/lists" \
        -o "Dir::Cache=$1/cache" -o APT::Sandbox::User=root -o Acquire::Check-Valid-Until=false
    quietly inside apt-get "$@" update
    image=$(inside apt-cache "$@" --names-only search '^linux-image-[0-9]+[.][0-9]+[.][0-9]+.*-cloud-amd64$' |
        cut -d ' ' -f 1 | sort -V | tail -n 1)
    version=${image#linux-image-}
    quietly inside env --chdir="${kernel#"$ROOT"}" apt-get "$@" download "$image"
    dpkg-deb -x "$kernel"/*.deb "$kernel/files"
    make_initramfs "$kernel" "$version"
    cp "$(find "$kernel/files" -name 'vmlinuz*' -type f | head -n 1)" "$kernel/vmlinuz"
}

# busybox, the disk's drivers, and a switch to the image.
make_initramfs() {
    initramfs=$1/initramfs
    mkdir -p "$initramfs/bin" "$initramfs/dev" "$initramfs/proc" "$initramfs/root" "$1/files/lib"
    # One place for all, as depmod and modprobe ask for it.
    [ ! -d "$1/files/usr/lib/modules" ] || mv "$1/files/usr/lib/modules" "$1/files/lib/"
    inside depmod --basedir "${1#"$ROOT"}/files" "$2"
    cp "$ROOT/bin/busybox" "$initramfs/bin/"
    # shellcheck disable=SC2086 # a list
    inside modprobe --dirname "${1#"$ROOT"}/files" --set-version "$2" --all --show-depends $DRIVERS |
        awk '$1 == "insmod" && !seen[$2]++ {print $2}' | while read -r module; do
        name=$(basename "$module" .xz)
        case $module in *.xz) xz -dc "$ROOT$module" ;; *) cat "$ROOT$module" ;; esac >"$initramfs/$name"
        echo "/bin/busybox insmod /$name"
    done >"$initramfs/drivers"
    cat >"$initramfs/init" <<'INIT'
#!/bin/busybox sh
busybox mount -t devtmpfs dev /dev
. /drivers
busybox mount -o rw -t ext4 /dev/vda /root || exec busybox poweroff -f
exec busybox switch_root /root /sbin/init
INIT
    chmod 755 "$initramfs/init"
    (cd "$initramfs" && find . | cpio --quiet -o -H newc) | gzip -1 >"$1/initramfs.gz"
}

# --- a run --------------------------------------------------------------------------------------------------------

# The image stays as it is; what the guest says comes out of its second serial port.
boot() {
    out=$WORK/$1.txt
    say "$1: starting"
    rm -f "$out"
    timeout 60m qemu-system-x86_64 -machine q35 -accel "${ACCEL:-tcg,thread=multi}" -cpu max -smp 2 -m 3G -nographic -no-reboot \
        -nic none \
        -kernel "$ROOT/kernels/$1/vmlinuz" -initrd "$ROOT/kernels/$1/initramfs.gz" \
        -append "console=ttyS0 quiet panic=-1 old-kernel.checks=$CHECKS" \
        -drive "file=$IMAGE,if=virtio,format=raw,snapshot=on" \
        -serial file:"$WORK/console.txt" -serial file:"$out" -monitor none </dev/null >/dev/null || say "qemu ended with $?"
    tr -d '\r' <"$out" | grep '^result:' || true
    grep -q '^result: all: ok' "$out" || { say "$1: FAILED; see $out and $WORK/console.txt"; return 1; }
}

mkdir -p "$WORK"
quietly apt-get install -y --no-install-recommends qemu-system-x86 debootstrap e2fsprogs cpio
make_root
# shellcheck disable=SC2086 # a list
[ $# -gt 0 ] || set -- $SUITES
for suite in "$@"; do get_kernel "$suite"; done
put_agentbox
failed=0
for suite in "$@"; do boot "$suite" || failed=1; done
exit "$failed"
