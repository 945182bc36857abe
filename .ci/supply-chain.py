"""`supply-chain.py LOCK SBOM`: exit code 1 where the bill of materials is not of exactly what is locked."""

import json
import re
import sys
from pathlib import Path

PACKAGE = re.compile(
    r"^(\S+)==(\S+?)(?: ;.*)? \\$(?P<hashes>(?:\n    --hash=sha256:[0-9a-f]{64}(?: \\)?$)+)", re.MULTILINE
)


def main(lock: Path, sbom: Path) -> int:
    locked = {
        (found[1], found[2]): set(re.findall(r"[0-9a-f]{64}", found["hashes"]))
        for found in PACKAGE.finditer(lock.read_text())
    }
    listed = {
        (one["name"], one["version"]): {
            each["content"] for reference in one["externalReferences"] for each in reference.get("hashes", ())
        }
        for one in json.loads(sbom.read_text())["components"]
    }
    apart = sorted(locked.keys() ^ listed.keys() | {name for name in locked if locked[name] != listed.get(name)})
    told = [f"supply-chain: {'=='.join(name)} is not listed as it is locked\n" for name in apart]
    sys.stdout.write("".join(told) + f"supply-chain: {len(listed)} packages in {sbom}, {len(locked)} locked\n")
    return int(not locked or locked != listed)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
