"""Fixtures that several files share.

One torch thread for each test process, set before torch is imported: two processes of two threads
on two cores wait for each other more than they work.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.feedback_databases import empty_url, postgres, store, url

__all__ = ["empty_url", "postgres", "store", "url"]
