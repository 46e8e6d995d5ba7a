"""The suite every connector passes; plugin authors inherit it in their own tests.

Describe how to drive the system behind your connector in a ``Source`` and hand it over as a fixture::

    class TestAcme(ConformanceSuite):
        @pytest.fixture
        def source(self):
            with acme_server() as server:
                yield AcmeSource(server)

The source starts with at least seven records. What your system cannot do raises ``Unsupported`` with the
reason, which skips the tests that need it. Needs pytest, and nothing of the product's own tests.
"""

import pytest

pytest.register_assert_rewrite("connectors.conformance.source", "connectors.conformance.suite")

from connectors.conformance.source import Copy, Source, Unsupported  # noqa: E402 - after the registration
from connectors.conformance.suite import ConformanceSuite  # noqa: E402

__all__ = ["ConformanceSuite", "Copy", "Source", "Unsupported"]
