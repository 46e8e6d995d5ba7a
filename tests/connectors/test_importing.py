"""Connectors are imported by several threads of one process, and none of them gets a half made module."""

from __future__ import annotations

import subprocess
import sys

RACE = """
import sys, threading
from connectors.registry import find_connector
names = ["directus", "hubspot", "salesforce", "imap", "odoo", "wecom", "shopify", "kingdee"]
start, failed = threading.Barrier(len(names)), []
def load(name):
    start.wait()
    try:
        find_connector(name).load()
    except BaseException as error:
        failed.append(f"{name}: {error!r}")
sys.setswitchinterval(1e-6)
threads = [threading.Thread(target=load, args=(name,)) for name in names]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(failed)
"""


def test_eight_threads_may_load_connectors_at_once() -> None:
    for _ in range(3):
        done = subprocess.run([sys.executable, "-c", RACE], capture_output=True, text=True, check=True, timeout=60)
        assert done.stdout.strip() == "[]"
