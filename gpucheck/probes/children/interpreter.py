# Run by the examined interpreter itself, whichever Python that is (2.7 too), with its user's own settings: PYTHONPATH,
# the user's site-packages and .pth files count, as they do for the user's programs. One line of JSON on stdout.
import json
import os
import struct
import sys


def folders():
    """sys.path without this script's own folder and the standard library."""
    own = os.path.dirname(os.path.abspath(__file__))
    standard = os.path.dirname(os.path.abspath(os.__file__))
    found = []
    for entry in sys.path:
        skip = entry in ("", standard) or os.path.basename(entry) in ("lib-dynload", "lib-tk", "plat-linux2")
        if not skip and os.path.abspath(entry) != own and os.path.isdir(entry):
            found.append(os.path.abspath(entry))
    return found


def user_site(path):
    """The user's site-packages where it is on the path."""
    try:
        import site

        place = site.getusersitepackages() if site.ENABLE_USER_SITE else None
    except Exception:
        place = None
    return place if place in path else None


def main():
    out = os.dup(1)
    os.dup2(2, 1)
    path = folders()
    implementation = getattr(sys, "implementation", None)
    facts = {
        "executable": sys.executable,
        "version": ".".join(str(number) for number in sys.version_info[:3]),
        # PEP 703's build has an ABI of its own, for which its flag is the sign: wheels for the usual one do not fit.
        "implementation": ("free-threaded " if "t" in getattr(sys, "abiflags", "") else "")
        + (implementation.name if implementation else "cpython"),
        "bits": struct.calcsize("P") * 8,
        "machine": os.uname()[4] if hasattr(os, "uname") else "",
        "prefix": sys.prefix,
        "base_prefix": getattr(sys, "base_prefix", getattr(sys, "real_prefix", sys.prefix)),
        "site_dirs": path,
        "user_site": user_site(path),
    }
    os.write(out, (json.dumps(facts) + "\n").encode("ascii"))


main()
